-- name: FindModule :one
-- FindModule reads a module, whatever its status.
SELECT * FROM modules WHERE slug = @slug;

-- name: LockModule :one
-- LockModule reads a module and keeps others from changing it until the transaction ends.
SELECT * FROM modules WHERE slug = @slug FOR UPDATE;

-- name: CreateModule :one
-- CreateModule adds a module as a draft; a taken slug is a unique violation.
INSERT INTO modules (slug, name, description, features, price, currency, plugin_url, publisher, category, icon, compatible, created_at, updated_at)
VALUES (@slug, @name, @description, @features, @price, @currency, sqlc.narg(plugin_url), @publisher, @category, @icon, @compatible, @now, @now)
RETURNING *;

-- name: CreateModuleIfNew :execrows
-- CreateModuleIfNew adds a published module unless its slug is taken, and says by the count of rows which it was.
INSERT INTO modules (slug, name, description, features, price, currency, plugin_url, publisher, category, icon, compatible, status, created_at, updated_at, published_at)
VALUES (@slug, @name, @description, @features, @price, @currency, sqlc.narg(plugin_url), @publisher, @category, @icon, @compatible, 'published', @now, @now, @now)
ON CONFLICT (slug) DO NOTHING;

-- name: ChangeModule :one
-- ChangeModule writes what administrators say about a module.
UPDATE modules SET name = @name, description = @description, features = @features, price = @price, currency = @currency,
    plugin_url = sqlc.narg(plugin_url), publisher = @publisher, category = @category, icon = @icon, compatible = @compatible,
    revision = revision + 1, updated_at = @now
WHERE slug = @slug
RETURNING *;

-- name: PublishModule :one
-- PublishModule lets licenses see and buy a module.
UPDATE modules SET status = 'published', published_at = coalesce(published_at, @now::timestamptz), deprecated_at = NULL,
    revision = revision + 1, updated_at = @now::timestamptz
WHERE slug = @slug
RETURNING *;

-- name: DeprecateModule :one
-- DeprecateModule ends the sale of a module.
UPDATE modules SET status = 'deprecated', deprecated_at = coalesce(deprecated_at, @now::timestamptz),
    revision = revision + 1, updated_at = @now::timestamptz
WHERE slug = @slug
RETURNING *;

-- name: TouchModule :exec
-- TouchModule notes that something of a module's versions has changed.
UPDATE modules SET revision = revision + 1, updated_at = @now WHERE slug = @slug;

-- name: FindModuleVersion :one
-- FindModuleVersion reads a version by its number, whatever its status.
SELECT * FROM module_versions WHERE module = @module AND version = @version;

-- name: LatestModuleVersion :one
-- LatestModuleVersion reads the highest published version.
SELECT * FROM module_versions WHERE module = @module AND status = 'published' ORDER BY numbers DESC LIMIT 1;

-- name: ListModuleVersions :many
-- ListModuleVersions reads the versions of a module, the highest first.
SELECT * FROM module_versions WHERE module = @module ORDER BY numbers DESC;

-- name: CreateModuleVersion :one
-- CreateModuleVersion adds a version as a draft; a taken number is a unique violation.
INSERT INTO module_versions (module, version, file, sha256, size, source_url, changelog, created_at)
VALUES (@module, @version, @file, @sha256, @size, sqlc.narg(source_url), @changelog, @now)
RETURNING *;

-- name: PublishModuleVersion :execrows
-- PublishModuleVersion lets a version be installed.
UPDATE module_versions SET status = 'published', published_at = coalesce(published_at, @now::timestamptz), deprecated_at = NULL
WHERE module = @module AND version = @version;

-- name: DeprecateModuleVersion :execrows
-- DeprecateModuleVersion takes a version out of the choice of the latest.
UPDATE module_versions SET status = 'deprecated', deprecated_at = coalesce(deprecated_at, @now::timestamptz)
WHERE module = @module AND version = @version;

-- name: AddModuleDependency :exec
-- AddModuleDependency says what must be on a server before a version is.
INSERT INTO module_dependencies (module, version, depends_on, min_version) VALUES (@module, @version, @depends_on, @min_version);

-- name: ListModuleDependencies :many
-- ListModuleDependencies reads what must be on a server before a version is.
SELECT depends_on, min_version FROM module_dependencies WHERE module = @module AND version = @version ORDER BY depends_on;

-- name: ModuleNeeds :one
-- ModuleNeeds tells whether any version of a module needs another one, be it through others.
WITH RECURSIVE needs (slug) AS (
    SELECT d.depends_on FROM module_dependencies d WHERE d.module = @module
    UNION
    SELECT d.depends_on FROM module_dependencies d JOIN needs n ON d.module = n.slug
)
SELECT EXISTS (SELECT FROM needs WHERE slug = @other::text);

-- name: OwnsModule :one
-- OwnsModule tells whether a license owns a module: it has a purchase that is completed and not on its way back.
SELECT EXISTS (SELECT FROM module_purchases WHERE license_id = @license_id AND module = @module AND status = 'completed');

-- name: OwnedModules :many
-- OwnedModules gives the modules that a license owns.
SELECT module FROM module_purchases WHERE license_id = @license_id AND status = 'completed' ORDER BY module;

-- name: CountModules :one
-- CountModules counts the modules, whatever their status.
SELECT count(*) FROM modules;

-- name: CountModuleVersions :one
-- CountModuleVersions counts the versions of a module.
SELECT count(*) FROM module_versions WHERE module = @module;

-- name: SearchModules :many
-- SearchModules reads the modules that have search somewhere in their words, and are of a category, for a game and in a
-- status, where those are not empty.
SELECT * FROM modules m
WHERE (@search::text = '' OR strpos(lower(concat_ws(' ', m.slug, m.name, m.publisher, m.description, array_to_string(m.features, ' '))), lower(@search::text)) > 0)
    AND (@category::text = '' OR m.category = @category::text)
    AND (@game::text = '' OR m.compatible @> jsonb_build_array(jsonb_build_object('game', @game::text)))
    AND (@status::text = '' OR m.status = @status::text)
ORDER BY m.slug;

-- name: LatestModuleVersions :many
-- LatestModuleVersions gives the highest published version of each of some modules.
SELECT DISTINCT ON (module) module, version FROM module_versions
WHERE module = ANY(@modules::text[]) AND status = 'published'
ORDER BY module, numbers DESC;

-- name: LatestModuleDependencies :many
-- LatestModuleDependencies gives what the highest published versions of some modules need.
SELECT d.module, d.depends_on, d.min_version
FROM module_dependencies d
JOIN (
    SELECT DISTINCT ON (v.module) v.module, v.version FROM module_versions v
    WHERE v.module = ANY(@modules::text[]) AND v.status = 'published'
    ORDER BY v.module, v.numbers DESC
) latest ON latest.module = d.module AND latest.version = d.version
ORDER BY d.module, d.depends_on;

-- name: ListAllModuleDependencies :many
-- ListAllModuleDependencies gives what each version of a module needs.
SELECT version, depends_on, min_version FROM module_dependencies WHERE module = @module ORDER BY version, depends_on;
