#!/usr/bin/env bash
# Builds a Vault for test/integration/kms/vault.test.ts where no binary can be had: Vault's own core, HTTP interface and transit engine
# from its Go module, without its command line and other engines. About 10 minutes of two cores; the binary is test/vault/.build/server.
#
# The module's released sdk is a little older than the sources it comes with, so three lines are put in accord with it; none of them is
# of the transit engine's cryptography.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -rf .build
mkdir .build
cp main.go .build/
cd .build
go mod init cqlock.test/vault 2>/dev/null
module=$(go mod download -json github.com/hashicorp/vault@v1.21.4 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$module" vault
chmod -R u+w vault
sed -i 's/restoredKeyName, err := b.lm.RestorePolicy(/restoredKeyName := keyName\n\terr := b.lm.RestorePolicy(/' vault/builtin/logical/transit/path_restore.go
sed -i 's/activateDeduplication(ctx context.Context, req \*logical.Request) error/activateDeduplication(ctx context.Context, req *logical.Request, _ string) error/' vault/vault/identity_store_util.go
sed -i 's/ActivationFunc(ctx, nil)/ActivationFunc(ctx, nil, "")/' vault/vault/logical_system_activation_flags.go
go mod edit -require github.com/hashicorp/vault@v1.21.4 -replace github.com/hashicorp/vault=./vault
go mod tidy
# Without inlining it is made in half the time.
go build -gcflags=all=-l -o server .
echo "built: CQLOCK_TEST_VAULT=$PWD/server npx vitest run --config vitest.integration.config.ts test/integration/kms/vault.test.ts"
