import { Argument } from 'commander';
import type { Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Words that may follow `cqlock` and the words of a command. */
interface Completion {
  /** `keys create`, or nothing for the program itself. */
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/** Adds `cqlock completion`, for all commands that were added before. */
export function addCompletionCommand(program: Command, say: (line: string) => void): void {
  program
    .command('completion')
    .description('print what completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action((shell: Shell) => {
      say(completionScript(program, shell));
    });
}

/** The script of a shell for a program. */
export function completionScript(program: Command, shell: Shell): string {
  const completions = collect(program, '');
  switch (shell) {
    case 'bash':
      return bash(completions);
    case 'zsh':
      return `#compdef cqlock\nautoload -U +X bashcompinit && bashcompinit\n${bash(completions)}`;
    case 'fish':
      return fish(completions);
  }
}

function collect(command: Command, path: string): Completion[] {
  const words = [
    ...command.commands.map((sub) => ({ word: sub.name(), description: sub.description() })),
    ...command.options.map(({ long, description }) => ({ word: long ?? '', description })),
    { word: '--help', description: 'display help for command' },
  ].filter(({ word }) => word !== '');
  return [
    { path, words },
    ...command.commands.flatMap((sub) => collect(sub, `${path} ${sub.name()}`.trim())),
  ];
}

function bash(completions: readonly Completion[]): string {
  const cases = completions.map(
    ({ path, words }) => `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`,
  );
  return `# Completion of cqlock: cqlock completion bash > /etc/bash_completion.d/cqlock
_cqlock() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*) ;;
      *) _cqlock_is_command "\${path:+$path }$word" && path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
_cqlock_is_command() {
  case "$1" in
${completions
  .filter(({ path }) => path !== '')
  .map(({ path }) => `    '${path}') return 0 ;;`)
  .join('\n')}
  esac
  return 1
}
complete -o default -F _cqlock cqlock`;
}

function fish(completions: readonly Completion[]): string {
  const lines = completions.flatMap(({ path, words }) => {
    const seen = path === '' ? [] : path.split(' ');
    const below = completions
      .filter(
        (other) => other.path.startsWith(path === '' ? '' : `${path} `) && other.path !== path,
      )
      .map((other) => other.path.split(' ')[seen.length] ?? '');
    const conditions = [
      ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(below.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${[...new Set(below)].join(' ')}`]),
    ].join('; and ');
    return words.map(({ word, description }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      const text = description.replaceAll("'", "\\\\'");
      return `complete -c cqlock -f -n '${conditions}' ${what} -d '${text}'`;
    });
  });
  return `# Completion of cqlock: cqlock completion fish > ~/.config/fish/completions/cqlock.fish\n${lines.join('\n')}`;
}
