/** The table changed since the statement was planned: plan again, nothing was executed. */
export class StalePlanError extends Error {}
