import { printExpression, printTypeName } from '../../cql/index.ts';
import type { Expression, TypeName } from '../../cql/index.ts';
import { InvalidRequestError } from '../../errors/index.ts';
import {
  printType,
  serializeMap,
  serializeSet,
  serializeTuple,
  serializeVector,
} from '../../values/index.ts';
import type { CqlType } from '../../values/index.ts';
import type { CompiledExpression, Constants, Evaluate } from './expression.ts';

/** Whether an expression is a term by itself: nothing of a row, no function. */
export function isTerm(expression: Expression): boolean {
  switch (expression.kind) {
    case 'constant':
    case 'bind':
    case 'null':
      return true;
    case 'list':
    case 'set':
    case 'tuple':
      return expression.items.every(isConstant);
    case 'map':
      return expression.entries.flat().every(isConstant);
    case 'udt':
      return expression.fields.every(({ value }) => isConstant(value));
    default:
      return false;
  }
}

/** Whether a literal can have a type by itself: of a collection one item must have one, of a tuple all. */
export function isTyped(expression: Expression): boolean {
  switch (expression.kind) {
    case 'constant':
    case 'bind':
    case 'null':
    case 'udt':
      return false;
    case 'list':
    case 'set':
      return expression.items.some(isTyped);
    case 'tuple':
      // One item in parentheses may be no tuple at all.
      return expression.items.length > 1 && expression.items.every(isTyped);
    case 'map':
      return (
        expression.entries.some(([key]) => isTyped(key)) &&
        expression.entries.some(([, value]) => isTyped(value))
      );
    default:
      return true;
  }
}

/** Cassandra takes bind markers in the literals of a selection, where it does not in terms. */
function isConstant(expression: Expression): boolean {
  return expression.kind !== 'bind' && isTerm(expression);
}

/** Constants for names in messages, which repeat no value. */
export const HIDDEN: Constants = [];

/** A literal as Cassandra names it in result metadata. Spec: Term.Raw.getText. */
export function literalText(expression: Expression): (constants: Constants) => string {
  const all = (items: readonly Expression[]): ((constants: Constants) => string) => {
    const texts = items.map(literalText);
    return (constants) => texts.map((text) => text(constants)).join(', ');
  };
  switch (expression.kind) {
    case 'constant': {
      const { index, type } = expression;
      return (constants) => {
        if (constants === HIDDEN) return '<constant>';
        const text = constants[index]?.text ?? expression.text;
        return type === 'string' ? `'${text}'` : text;
      };
    }
    case 'bind':
      return () => '?';
    case 'null':
      return () => 'NULL';
    case 'list': {
      const items = all(expression.items);
      return (constants) => `[${items(constants)}]`;
    }
    case 'set': {
      const items = all(expression.items);
      return (constants) => `{${items(constants)}}`;
    }
    case 'tuple': {
      const items = all(expression.items);
      return (constants) => `(${items(constants)})`;
    }
    case 'map': {
      const entries = expression.entries.map(
        ([key, value]) => [literalText(key), literalText(value)] as const,
      );
      return (constants) =>
        `{${entries.map(([key, value]) => `${key(constants)}: ${value(constants)}`).join(', ')}}`;
    }
    case 'udt': {
      const fields = expression.fields.map(
        ({ name, value }) => [name.text, literalText(value)] as const,
      );
      return (constants) =>
        `{${fields.map(([name, value]) => `${name}: ${value(constants)}`).join(', ')}}`;
    }
    case 'type_hint': {
      const value = literalText(expression.value);
      const type = printTypeName(expression.type);
      return (constants) => `(${type})${value(constants)}`;
    }
    default:
      return () => shownText(expression);
  }
}

/** A type as Cassandra prints it: user types with their keyspace. */
export function typeText(
  type: TypeName,
  keyspace: string,
  isUserType: (type: TypeName) => boolean,
): string {
  if (type.kind === 'parametrised') {
    const args = type.args.map((inner) => typeText(inner, keyspace, isUserType));
    return `${type.name}<${args.join(', ')}>`;
  }
  const text = printTypeName(type);
  return type.kind === 'named' && type.name.keyspace === undefined && isUserType(type)
    ? `${keyspace}.${text}`
    : text;
}

/** An expression in a message: constants are not shown. */
export function shownText(expression: Expression): string {
  switch (expression.kind) {
    case 'constant':
      return '<constant>';
    case 'bind':
      return '?';
    case 'null':
      return 'NULL';
    case 'list':
      return `[${expression.items.map(shownText).join(', ')}]`;
    case 'set':
      return `{${expression.items.map(shownText).join(', ')}}`;
    case 'tuple':
      return `(${expression.items.map(shownText).join(', ')})`;
    case 'map':
      return `{${expression.entries.map(([key, value]) => `${shownText(key)}: ${shownText(value)}`).join(', ')}}`;
    case 'udt':
      return `{${expression.fields.map(({ name, value }) => `${name.text}: ${shownText(value)}`).join(', ')}}`;
    case 'type_hint':
      return `(${printTypeName(expression.type)})${shownText(expression.value)}`;
    case 'function':
      return `${expression.name}(${expression.args.map(shownText).join(', ')})`;
    case 'arithmetic':
      return `${shownText(expression.left)} ${expression.operator} ${shownText(expression.right)}`;
    case 'negate':
      return `-${shownText(expression.value)}`;
    case 'cast':
      return `cast(${shownText(expression.value)} as ${printTypeName(expression.type)})`;
    case 'column':
      return expression.name.text;
    case 'field':
      return `${shownText(expression.value)}.${expression.field.text}`;
    case 'element':
      return `${shownText(expression.value)}[${shownText(expression.key)}]`;
    case 'slice':
      return `${shownText(expression.value)}[${expression.from === undefined ? '' : shownText(expression.from)}..${expression.to === undefined ? '' : shownText(expression.to)}]`;
    default:
      return printExpression(expression);
  }
}

/**
 * A literal collection, tuple or user type whose items are expressions.
 * @throws InvalidRequestError when it is not one of `type`
 */
export function sequenceOf(
  expression: Expression,
  type: CqlType,
  compile: (item: Expression, type: CqlType) => CompiledExpression,
): CompiledExpression {
  switch (expression.kind) {
    case 'list': {
      if (type.kind === 'vector') {
        const items = expression.items.map((item) => compile(item, type.element));
        return packed(type, items, ['[', ']'], (values) => serializeVector(type, present(values)));
      }
      if (type.kind !== 'list') break;
      const items = expression.items.map((item) => compile(item, type.element));
      return packed(type, items, ['[', ']'], listOf);
    }
    case 'set': {
      if (type.kind !== 'set') break;
      const items = expression.items.map((item) => compile(item, type.element));
      return packed(type, items, ['{', '}'], (values) =>
        serializeSet(type.element, present(values)),
      );
    }
    case 'tuple': {
      const [only] = expression.items;
      if (type.kind !== 'tuple' && only !== undefined && expression.items.length === 1) {
        const inner = compile(only, type);
        return { ...inner, name: (constants) => `(${inner.name(constants)})` };
      }
      if (type.kind !== 'tuple') break;
      const items = expression.items.map((item, index) =>
        compile(item, type.elements[index] ?? type),
      );
      return packed(type, items, ['(', ')'], serializeTuple);
    }
    case 'map': {
      if (type.kind !== 'map') break;
      const items = expression.entries.flatMap(([key, value]) => [
        compile(key, type.key),
        compile(value, type.value),
      ]);
      const made = packed(type, items, ['{', '}'], (values) =>
        serializeMap(type.key, pairs(present(values))),
      );
      return { ...made, name: entryNames(items, undefined) };
    }
    case 'udt': {
      if (type.kind !== 'udt') break;
      const given = new Map(expression.fields.map(({ name, value }) => [name.text, value]));
      const unknown = [...given.keys()].find(
        (name) => !type.fields.some((field) => field.name === name),
      );
      if (unknown !== undefined) {
        throw new InvalidRequestError(
          `Unknown field '${unknown}' in value of user defined type ${type.name}`,
        );
      }
      const items = type.fields.map((field) => {
        const value = given.get(field.name);
        return value === undefined ? undefined : compile(value, field.type);
      });
      const set = items.filter((item) => item !== undefined);
      const made = packed(type, set, ['{', '}'], (values) => {
        const rest = [...values];
        return serializeTuple(
          items.map((item) => (item === undefined ? null : (rest.shift() ?? null))),
        );
      });
      const names = type.fields.flatMap(({ name }) => (given.has(name) ? [name] : []));
      return { ...made, name: entryNames(set, names) };
    }
    default:
      break;
  }
  throw new InvalidRequestError(
    `Cannot infer type for term ${shownText(expression)} in selection clause: it is no value of type ${printType(type)}`,
  );
}

/** `{key: value}`; without `names` keys and values take turns in `items`. */
function entryNames(
  items: readonly CompiledExpression[],
  names: readonly string[] | undefined,
): CompiledExpression['name'] {
  return (constants) => {
    const texts = items.map((item) => item.name(constants));
    const entries =
      names === undefined
        ? texts.flatMap((text, at) => (at % 2 === 0 ? [`${text}: ${texts[at + 1] ?? ''}`] : []))
        : names.map((name, at) => `${name}: ${texts[at] ?? ''}`);
    return `{${entries.join(', ')}}`;
  };
}

function packed(
  type: CqlType,
  items: readonly CompiledExpression[],
  brackets: readonly [string, string],
  pack: (values: readonly (Uint8Array | null)[]) => Uint8Array,
): CompiledExpression {
  return {
    type,
    name: (constants) =>
      `${brackets[0]}${items.map((item) => item.name(constants)).join(', ')}${brackets[1]}`,
    bind: (context): Evaluate => {
      const bound = items.map((item) => item.bind(context));
      return (row, aggregates) => pack(bound.map((evaluate) => evaluate(row, aggregates)));
    },
    hasAggregate: items.some((item) => item.hasAggregate),
  };
}

/** A list of a selection may have nulls, which no other list has. */
function listOf(values: readonly (Uint8Array | null)[]): Uint8Array {
  const count = Buffer.alloc(4);
  count.writeInt32BE(values.length);
  return new Uint8Array(Buffer.concat([count, serializeTuple(values)]));
}

function present(values: readonly (Uint8Array | null)[]): Uint8Array[] {
  return values.map((value) => {
    if (value === null) {
      throw new InvalidRequestError('null is not supported inside collections');
    }
    return value;
  });
}

function pairs(values: readonly Uint8Array[]): (readonly [Uint8Array, Uint8Array])[] {
  const entries: (readonly [Uint8Array, Uint8Array])[] = [];
  for (let at = 0; at + 1 < values.length; at += 2) {
    entries.push([values[at] as Uint8Array, values[at + 1] as Uint8Array]);
  }
  return entries;
}
