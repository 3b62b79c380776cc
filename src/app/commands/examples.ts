import type { Command } from 'commander';

/** What is shown below the help of a command, by its words. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  start: [
    'cqlock start                                   # starts a Cassandra too',
    'cqlock start --config /etc/cqlock/cqlock.yaml',
    'CQLOCK_CONTACT_POINTS=10.0.0.1 cqlock start',
  ],
  init: ['cqlock init --config /etc/cqlock/cqlock.yaml'],
  check: ['cqlock check --config cqlock.yaml', 'cqlock check --offline --json | jq .findings'],
  status: ['cqlock status', 'cqlock status --json | jq .requests'],
  'role add': [
    'cqlock role add app --password                 # asks for it',
    'cqlock role add app --password-file app.pw --cassandra-role app_rw',
    'cqlock role add job --certificate CN=job URI:spiffe://example.org/job --cassandra-password-file job.pw',
  ],
  'role list': ['cqlock role list'],
  'role remove': ['cqlock role remove app --yes'],
  'role create': ['cqlock role create --admin-user cassandra --keyspaces shop crm'],
  'keys list': ['cqlock keys list --json | jq -r .[].Arn'],
  'keys show': ['cqlock keys show alias/shop'],
  'keys create': [
    'cqlock keys create --alias shop',
    'cqlock keys create --alias crm --policy crm_policy.json --tag team=crm',
  ],
  'keys disable': ['cqlock keys disable alias/shop'],
  'keys enable': ['cqlock keys enable alias/shop'],
  'keys rotate': ['cqlock keys rotate alias/shop', 'cqlock keys rotate alias/shop --every 365'],
  'keys schedule-deletion': ['cqlock keys schedule-deletion alias/shop --days 30'],
  'keys cancel-deletion': ['cqlock keys cancel-deletion alias/shop'],
  'keys alias list': ['cqlock keys alias list'],
  'keys alias create': ['cqlock keys alias create orders alias/shop'],
  'keys alias update': ['cqlock keys alias update orders alias/crm'],
  'keys alias delete': ['cqlock keys alias delete orders'],
  'keys policy show': ['cqlock keys policy show alias/shop > policy.json'],
  'keys policy put': ['cqlock keys policy put alias/shop policy.json'],
  'keys grants list': ['cqlock keys grants list alias/shop'],
  'keys grants revoke': [
    'cqlock keys grants revoke alias/shop GRANT_ID   # keys grants list has it',
  ],
  'keys access create': ['cqlock keys access create proxy2'],
  'keys access list': ['cqlock keys access list'],
  'keys access remove': ['cqlock keys access remove ACCESS_KEY_ID   # keys access list has it'],
  'keys backup': ['cqlock keys backup /mnt/backup/keystore'],
  'keys restore': [
    'cqlock keys restore --check /mnt/backup/keystore',
    'cqlock keys restore /mnt/backup/keystore',
  ],
  'keys init': ['CQLOCK_STATE_DIR=/var/lib/cqlock-kms cqlock keys init'],
  'keys serve': ['CQLOCK_KMS_LISTEN=127.0.0.1:9143 cqlock keys serve'],
  'backup create': [
    'cqlock backup create shop.users',
    'cqlock backup create shop.users --max-rate 20',
  ],
  'backup list': ['cqlock backup list --json'],
  'backup verify': ['cqlock backup verify 6f1e0c5a9b7d4e2f8a3c1d5b7e9f0a2c'],
  'backup delete': ['cqlock backup delete 6f1e0c5a9b7d4e2f8a3c1d5b7e9f0a2c'],
  'backup expire': ['cqlock backup expire --yes'],
  restore: [
    'cqlock restore --from shop.users --to shop.users_restored',
    'cqlock restore --from shop.users --to shop.users_restored --at 2026-11-25T08:00:00Z',
  ],
  'rotate cells': [
    'cqlock rotate cells shop.users',
    'cqlock rotate cells --all --reencrypt --no-wait',
  ],
  'rotate status': ['cqlock rotate status --json'],
  'tables list': ['cqlock tables list'],
  'tables show': ['cqlock tables show shop.users'],
  'tables adopt': ['cqlock tables adopt shop.old'],
  'catalog accept': ['cqlock catalog accept'],
  'audit show': ['cqlock audit show --since 7d --table shop.users'],
  'audit verify': ['cqlock audit verify'],
  'audit prune': ['cqlock audit prune --older-than 365'],
  completion: [
    'cqlock completion bash > /etc/bash_completion.d/cqlock',
    'cqlock completion zsh > "${fpath[1]}/_cqlock"',
    'cqlock completion fish > ~/.config/fish/completions/cqlock.fish',
  ],
};

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 a setting or the command line is wrong, 130 stopped by a second signal.
Settings: --config or CQLOCK_CONFIG names a file (cqlock.example.yaml has them all); variables win over it.`;

/** Adds examples and exit codes to the help of commands that are there. */
export function addExamples(program: Command): void {
  program.addHelpText('after', EXIT_CODES);
  for (const [words, lines] of Object.entries(EXAMPLES)) {
    const command = find(program, words.split(' '));
    command?.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
}

function find(program: Command, words: readonly string[]): Command | undefined {
  let command: Command | undefined = program;
  for (const word of words) command = command?.commands.find((sub) => sub.name() === word);
  return command;
}
