import { OverloadError } from '../errors/index.ts';
import type { Reply } from './reply.ts';
import type { RequestContext, Session } from './session.ts';
import { StalePlanError } from './stale_plan.ts';

/** How often a statement is planned again at least when its table changes under it. */
const PLAN_ATTEMPTS = 5;
/** For how long it is planned again, milliseconds: one schema change is several changes of the table, which may follow each other fast. */
const PLAN_MS = 10_000;

/**
 * Plans and runs a request until its plan is of the present schema. What it wrote by an older plan is not written again.
 * @throws OverloadError when the table keeps changing: nothing was executed
 */
export async function untilCurrent(
  session: Pick<Session, 'services'>,
  context: RequestContext,
  attempted: (context: RequestContext) => Promise<Reply>,
): Promise<Reply> {
  const { written, options } = context;
  let staleSinceMs: number | undefined;
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await attempted(context);
      } catch (error) {
        if (!(error instanceof StalePlanError)) throw error;
        const { catalog, nowMs } = session.services;
        staleSinceMs ??= nowMs();
        if (attempt >= PLAN_ATTEMPTS && nowMs() - staleSinceMs >= PLAN_MS) throw changing();
        // The first time the newest snapshot is new enough, mostly; a plan that is stale again is made from the next reading.
        if (attempt > 1) await catalog.refresh();
      }
    }
  } catch (error) {
    throw written.failure(error, options.consistency);
  }
}

function changing(): OverloadError {
  return new OverloadError(
    'OVERLOAD_SCHEMA_CHANGE',
    'the schema of the table changes faster than the statement can be planned; try again',
  );
}
