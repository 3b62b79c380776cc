/** One thing that `cqlock check` looked at. */
export interface Finding {
  /** error: the proxy does not start, or not safely; warning: it works, and somebody should know. */
  readonly level: 'ok' | 'warning' | 'error';
  /** What was looked at, one word. */
  readonly topic: string;
  /** The variable of the setting to look at, where `message` names neither that nor a path. */
  readonly setting?: string;
  /** What was found, and what to do about it. */
  readonly message: string;
}
