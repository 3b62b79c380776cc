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
  'keys create': ['cqlock keys create --alias shop'],
  'backup create': ['cqlock backup create shop.users'],
  'backup list': ['cqlock backup list --json'],
  restore: ['cqlock restore --from shop.users --to shop.users_restored'],
  'tables list': ['cqlock tables list'],
  'tables adopt': ['cqlock tables adopt shop.old'],
  'audit verify': ['cqlock audit verify'],
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
