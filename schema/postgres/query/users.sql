-- name: CreateUser :one
-- CreateUser adds an account; a taken email is a unique violation.
INSERT INTO users (id, email, password_hash, must_change_password)
VALUES (@id, @email, @password_hash, @must_change_password)
RETURNING id;

-- name: FindUserByEmail :one
-- FindUserByEmail reads an account by its email, whatever the case.
SELECT id, email, password_hash, must_change_password, created_at FROM users WHERE lower(email) = lower(@email);

-- name: AddMember :exec
-- AddMember gives a user a role in a license, replacing the one it had.
INSERT INTO license_members (license_id, user_id, role) VALUES (@license_id, @user_id, @role)
ON CONFLICT (license_id, user_id) DO UPDATE SET role = excluded.role;
