import type { Expression } from '../../cql/index.ts';

/** Names of the columns of an expression. */
export function columnsIn(expression: Expression): Set<string> {
  const names = new Set<string>();
  walk(expression, (inner) => {
    if (inner.kind === 'column') names.add(inner.name.text);
  });
  return names;
}

/** Whether one of the expressions has a constant anywhere. */
export function hasConstants(expressions: readonly Expression[]): boolean {
  let found = false;
  for (const expression of expressions) {
    walk(expression, (inner) => {
      if (inner.kind === 'constant') found = true;
    });
  }
  return found;
}

/** Visits an expression and all inside it. */
function walk(expression: Expression, visit: (inner: Expression) => void): void {
  visit(expression);
  for (const inner of childrenOf(expression)) walk(inner, visit);
}

/** What stands directly in an expression. */
export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'list':
    case 'set':
    case 'tuple':
      return expression.items;
    case 'map':
      return expression.entries.flat();
    case 'udt':
      return expression.fields.map(({ value }) => value);
    case 'function':
      return expression.args;
    case 'arithmetic':
      return [expression.left, expression.right];
    case 'element':
      return [expression.value, expression.key];
    case 'slice':
      return [expression.value, expression.from, expression.to].filter(
        (inner) => inner !== undefined,
      );
    case 'type_hint':
    case 'negate':
    case 'field':
    case 'cast':
    case 'metadata':
      return [expression.value];
    case 'constant':
    case 'bind':
    case 'null':
    case 'column':
    case 'count_rows':
      return [];
  }
}
