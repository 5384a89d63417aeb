#!/usr/bin/env bash
# Makes every secret of compose.yaml once, in ./secrets, random and readable by the containers' user alone.
# It needs openssl and a corrosion binary: CORROSION=/path/to/corrosion ./secrets.sh
set -euo pipefail
cd "$(dirname "$0")"
corrosion=${CORROSION:-corrosion}
if [ -e secrets ]; then
  echo "secrets/ is there already: move it away to make new ones" >&2
  exit 1
fi
umask 077
rm -rf secrets.new
mkdir secrets.new
for service in clickhouse postgres; do
  openssl rand -hex 24 | tr -d '\n' > secrets.new/$service-password
done
digest=$(openssl dgst -sha256 -r secrets.new/clickhouse-password | cut -d' ' -f1)
cat > secrets.new/clickhouse-users.xml <<XML
<clickhouse><users>
  <default remove="remove"/>
  <corrosion>
    <password_sha256_hex>$digest</password_sha256_hex>
    <networks><ip>::/0</ip></networks>
    <profile>default</profile><quota>default</quota>
    <access_management>1</access_management>
  </corrosion>
</users></clickhouse>
XML
"$corrosion" nats config --nats-callout-key-file secrets.new/nats-callout.json > secrets.new/nats-auth.conf
"$corrosion" nats config --nats-callout-key-file secrets.new/nats-callout.json --env --server nats:4222 |
  sed -nE 's|^CORROSION_NATS_URL=nats://[^:]+:([^@]+)@.*|\1|p' | tr -d '\n' > secrets.new/nats-password
test -s secrets.new/nats-password
# The servers' own users read these files from a mount; the directory keeps everybody else of this machine out.
chmod 0644 secrets.new/clickhouse-users.xml secrets.new/nats-auth.conf secrets.new/postgres-password secrets.new/clickhouse-password secrets.new/nats-password
if [ "$(id -u)" = 0 ]; then chown 65532:65532 secrets.new/nats-callout.json; fi
mv secrets.new secrets
echo "made deploy/compose/secrets; keep a copy with your backups"
