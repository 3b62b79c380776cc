import type { BindMarker, Constant, Expression, QualifiedName, TypeName } from './ast.ts';
import { isNativeTypeName } from './keywords.ts';
import { quoteIdentifier, quoteString } from './text.ts';

/** `keyspace.name`, each quoted where it must be. */
function printName(name: QualifiedName): string {
  const own = quoteIdentifier(name.name.text);
  return name.keyspace === undefined ? own : `${quoteIdentifier(name.keyspace.text)}.${own}`;
}

/** A type as CQL text. */
export function printTypeName(type: TypeName): string {
  switch (type.kind) {
    case 'named': {
      // A user type that is called like a native type must keep its quotes.
      const { keyspace, name } = type.name;
      const quoted = name.quoted && keyspace === undefined && isNativeTypeName(name.text);
      return quoted ? `"${name.text}"` : printName(type.name);
    }
    case 'parametrised':
      return `${type.name}<${type.args.map(printTypeName).join(', ')}>`;
    case 'vector':
      return `vector<${printTypeName(type.element)}, ${type.dimensions}>`;
    case 'custom':
      return quoteString(type.className);
  }
}

/** A term or selector as CQL text, with every operation in parentheses where it must be. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'constant':
      return printConstant(expression);
    case 'bind':
      return printMarker(expression);
    case 'null':
      return 'null';
    case 'list':
      return `[${printAll(expression.items)}]`;
    case 'set':
      return `{${printAll(expression.items)}}`;
    case 'tuple':
      return `(${printAll(expression.items)})`;
    case 'map':
      return `{${expression.entries.map(([key, value]) => `${printExpression(key)} : ${printExpression(value)}`).join(', ')}}`;
    case 'udt':
      return `{${expression.fields.map(({ name, value }) => `${quoteIdentifier(name.text)} : ${printExpression(value)}`).join(', ')}}`;
    case 'function': {
      const name = quoteIdentifier(expression.name);
      const keyspace = expression.keyspace;
      const qualified = keyspace === undefined ? name : `${quoteIdentifier(keyspace)}.${name}`;
      return `${qualified}(${printAll(expression.args)})`;
    }
    case 'type_hint':
      return `(${printTypeName(expression.type)}) ${printExpression(expression.value)}`;
    case 'arithmetic':
      return `${printExpression(expression.left)} ${expression.operator} ${printExpression(expression.right)}`;
    case 'negate':
      return `- ${printExpression(expression.value)}`;
    case 'cast':
      return `cast(${printExpression(expression.value)} as ${printTypeName(expression.type)})`;
    default:
      return printSelector(expression);
  }
}

function printSelector(
  expression: Extract<
    Expression,
    { kind: 'column' | 'field' | 'element' | 'slice' | 'count_rows' | 'metadata' }
  >,
): string {
  switch (expression.kind) {
    case 'column':
      return quoteIdentifier(expression.name.text);
    case 'field':
      return `${printExpression(expression.value)}.${quoteIdentifier(expression.field.text)}`;
    case 'element':
      return `${printExpression(expression.value)}[${printExpression(expression.key)}]`;
    case 'slice': {
      const from = expression.from === undefined ? '' : printExpression(expression.from);
      const to = expression.to === undefined ? '' : printExpression(expression.to);
      return `${printExpression(expression.value)}[${from} .. ${to}]`;
    }
    case 'count_rows':
      return 'count(*)';
    case 'metadata':
      return `${expression.function}(${printExpression(expression.value)})`;
  }
}

function printAll(items: readonly Expression[]): string {
  return items.map(printExpression).join(', ');
}

function printConstant(constant: Constant): string {
  return constant.type === 'string' ? quoteString(constant.text) : constant.text;
}

function printMarker(marker: BindMarker): string {
  return marker.name === undefined ? '?' : `:${quoteIdentifier(marker.name)}`;
}
