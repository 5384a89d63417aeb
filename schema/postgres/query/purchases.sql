-- name: CreatePurchase :one
-- CreatePurchase adds a purchase as pending; one that is open already is a unique violation.
INSERT INTO module_purchases (id, license_id, module, status, amount, currency, gateway, buyer_id, buyer, idempotency_key, request_sha256, created_at, updated_at, expires_at)
VALUES (@id, @license_id, @module, 'pending', @amount, @currency, @gateway, sqlc.narg(buyer_id), @buyer, sqlc.narg(idempotency_key), sqlc.narg(request_sha256), @now, @now, sqlc.narg(expires_at))
RETURNING *;

-- name: FindPurchase :one
-- FindPurchase reads a purchase of a license.
SELECT * FROM module_purchases WHERE license_id = @license_id AND id = @id;

-- name: LockPurchase :one
-- LockPurchase reads a purchase of any license and keeps others from changing it until the transaction ends.
SELECT * FROM module_purchases WHERE id = @id FOR UPDATE;

-- name: FindAnyPurchase :one
-- FindAnyPurchase reads a purchase of any license, for administrators of the platform.
SELECT * FROM module_purchases WHERE id = @id;

-- name: FindPurchaseByKey :one
-- FindPurchaseByKey reads the license's purchase of an idempotency key.
SELECT * FROM module_purchases WHERE license_id = @license_id AND idempotency_key = @idempotency_key::text;

-- name: FindOpenPurchase :one
-- FindOpenPurchase reads the purchase of a module by a license that counts, or may yet come to count.
SELECT * FROM module_purchases
WHERE license_id = @license_id AND module = @module AND status IN ('pending', 'capturing', 'completed', 'refunding');

-- name: FindPurchaseByOrder :one
-- FindPurchaseByOrder reads the purchase of a provider's order.
SELECT * FROM module_purchases WHERE gateway = @gateway AND gateway_order = @gateway_order::text;

-- name: MovePurchase :one
-- MovePurchase writes where a purchase stands now. What is not given stays.
UPDATE module_purchases SET status = @status, error = @error, updated_at = @now::timestamptz,
    gateway_capture = coalesce(sqlc.narg(gateway_capture), gateway_capture),
    completed_at = CASE WHEN @status = 'completed' THEN coalesce(completed_at, @now::timestamptz) ELSE completed_at END,
    refunded_at = CASE WHEN @status = 'refunded' THEN @now::timestamptz ELSE refunded_at END
WHERE id = @id
RETURNING *;

-- name: SetPurchaseOrder :one
-- SetPurchaseOrder notes the provider's order of a purchase, and where the buyer agrees to it.
UPDATE module_purchases SET gateway_order = @gateway_order::text, approve_url = sqlc.narg(approve_url), expires_at = sqlc.narg(expires_at), updated_at = @now
WHERE id = @id AND gateway_order IS NULL
RETURNING *;

-- name: SetPurchaseAnswer :exec
-- SetPurchaseAnswer notes what a request was answered, for those that repeat it.
UPDATE module_purchases SET answer = @answer::jsonb WHERE id = @id;

-- name: ListPurchases :many
-- ListPurchases reads a license's purchases, the newest first, behind one of them where that is given.
SELECT * FROM module_purchases
WHERE license_id = @license_id
    AND (sqlc.narg(before_at)::timestamptz IS NULL OR (created_at, id) < (sqlc.narg(before_at)::timestamptz, @before_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @most::int;

-- name: ListAllPurchases :many
-- ListAllPurchases reads purchases of one license or of all, in one status or in any, the newest first.
SELECT * FROM module_purchases
WHERE (sqlc.narg(license_id)::uuid IS NULL OR license_id = sqlc.narg(license_id)::uuid)
    AND (@status::text = '' OR status = @status::text)
    AND (sqlc.narg(before_at)::timestamptz IS NULL OR (created_at, id) < (sqlc.narg(before_at)::timestamptz, @before_id::uuid))
ORDER BY created_at DESC, id DESC
LIMIT @most::int;

-- name: WaitingPurchases :many
-- WaitingPurchases gives purchases that a provider has not settled: pending ones whose time is over, and those that were
-- being captured or refunded and that nobody has touched since quiet_since.
SELECT * FROM module_purchases
WHERE status = 'pending' AND expires_at < @now::timestamptz
    OR status IN ('capturing', 'refunding') AND updated_at < @quiet_since::timestamptz
ORDER BY updated_at
LIMIT @most::int;

-- name: TouchPurchase :exec
-- TouchPurchase notes why a purchase still waits, and that somebody looked.
UPDATE module_purchases SET error = @error, updated_at = @now::timestamptz WHERE id = @id;

-- name: AddModuleTransaction :one
-- AddModuleTransaction appends a change of a purchase's state to the log.
INSERT INTO module_transactions (id, purchase_id, license_id, from_status, to_status, amount, currency, gateway, reference, reason, actor_id, actor, at)
VALUES (@id, @purchase_id, @license_id, sqlc.narg(from_status), @to_status, @amount, @currency, @gateway, @reference, @reason, sqlc.narg(actor_id), @actor, @at)
RETURNING *;

-- name: ListModuleTransactions :many
-- ListModuleTransactions reads the log of one purchase, the oldest first.
SELECT * FROM module_transactions WHERE purchase_id = @purchase_id ORDER BY seq;

-- name: LastModuleTransaction :one
-- LastModuleTransaction reads the newest change of a purchase's state.
SELECT * FROM module_transactions WHERE purchase_id = @purchase_id ORDER BY seq DESC LIMIT 1;

-- name: LastModuleTransactions :many
-- LastModuleTransactions gives the newest change of state of each of some purchases.
SELECT DISTINCT ON (purchase_id) purchase_id, id FROM module_transactions WHERE purchase_id = ANY(@purchases::uuid[]) ORDER BY purchase_id, seq DESC;

-- name: AddPaymentEvent :execrows
-- AddPaymentEvent notes an event, and says by the count of rows whether it is new.
INSERT INTO payment_events (gateway, event_id, event_type, purchase_id, received_at)
VALUES (@gateway, @event_id, @event_type, sqlc.narg(purchase_id), @now)
ON CONFLICT (gateway, event_id) DO NOTHING;

-- name: ForgetPaymentEvents :execrows
-- ForgetPaymentEvents removes events that can come no more.
DELETE FROM payment_events WHERE received_at < @before;

-- name: LicenseName :one
-- LicenseName reads what a license is called.
SELECT name FROM licenses WHERE id = @id;
