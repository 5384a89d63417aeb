INSERT INTO licenses (id, name) VALUES ('00000000-0000-4000-8000-00000000001d', 'Old network') ON CONFLICT (id) DO NOTHING;
INSERT INTO users (id, email, email_key, password_hash) VALUES ('00000000-0000-4000-8000-0000000000aa', 'old@example.org', 'old@example.org', 'x');
INSERT INTO license_members (license_id, user_id, role) VALUES ('00000000-0000-4000-8000-00000000001d', '00000000-0000-4000-8000-0000000000aa', 'owner');
INSERT INTO license_quotas (license_id, samples_per_second) VALUES ('00000000-0000-4000-8000-00000000001d', 5000);
INSERT INTO job_marks (job, name, value) VALUES ('verify', 'horizon', '0') ON CONFLICT DO NOTHING;
