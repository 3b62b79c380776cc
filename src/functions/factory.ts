import { InvalidRequestError } from '../errors/index.ts';
import { native, printType } from '../values/index.ts';
import type { CqlType, NativeTypeName } from '../values/index.ts';
import type { ArgumentType } from './arguments.ts';
import { assignType } from './compatibility.ts';
import type { NativeFunction, ScalarFunction } from './function.ts';
import { numericName } from './numbers.ts';

/** A parameter that finds its type by the argument. Spec: org.apache.cassandra.cql3.functions.FunctionParameter. */
export interface Parameter {
  /** For messages. */
  readonly text: string;
  readonly isOptional?: boolean;
  /** `inferred` holds what the other parameters found, in a second round. */
  infer(
    argument: ArgumentType,
    receiver: CqlType | undefined,
    inferred: readonly (CqlType | undefined)[] | undefined,
  ): CqlType | undefined;
  /** What an argument of the type must be, with the article; `undefined` when it is. */
  refuses(type: CqlType): string | undefined;
}

/** Makes functions for the types of a call: those with too many signatures to list. */
export interface FunctionFactory {
  /** Without keyspace. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** @throws InvalidRequestError when the types do not go together */
  make(types: readonly CqlType[], receiver: CqlType | undefined): NativeFunction;
}

/** Takes any type, that of the receiver if the argument has none. */
export function anyType(isFromReceiver: boolean): Parameter {
  return {
    text: 'any',
    infer: ({ known }, receiver) => known ?? (isFromReceiver ? receiver : undefined),
    refuses: () => undefined,
  };
}

/** Takes the types named, the first by default. */
export function fixed(...names: readonly [NativeTypeName, ...NativeTypeName[]]): Parameter {
  const [only] = names;
  // The alias of text is a type of its own in Cassandra's list.
  const listed = names.flatMap((name) =>
    name === 'text' && names.length > 1 ? ['text', 'varchar'] : [name],
  );
  const text = names.length === 1 ? only : `[${listed.join('|')}]`;
  return {
    text,
    infer: ({ known }) => known ?? native(only),
    refuses: (type) =>
      names.some((name) => assignType(type, native(name)) !== 'none')
        ? undefined
        : `an argument of type ${text}`,
  };
}

/** The same, but it may be left out. */
export function optional(parameter: Parameter): Parameter {
  return { ...parameter, text: `[${parameter.text}]`, isOptional: true };
}

/** Has the type of another parameter, before or after its own. */
export function sameAs(index: number, isOtherFirst: boolean, parameter: Parameter): Parameter {
  return {
    ...parameter,
    infer(argument, receiver, inferred) {
      const other = inferred?.[index];
      if (isOtherFirst) return other ?? parameter.infer(argument, receiver, inferred);
      return parameter.infer(argument, receiver, inferred) ?? other;
    },
  };
}

function known(text: string, what: string, isFitting: (type: CqlType) => boolean): Parameter {
  return {
    text,
    infer: (argument) => argument.known,
    refuses: (type) => (isFitting(type) ? undefined : what),
  };
}

/** Takes lists, sets and maps. */
export const anyCollection = known('collection', 'a collection argument', isCollection);

function isCollection(type: CqlType): boolean {
  return type.kind === 'list' || type.kind === 'set' || type.kind === 'map';
}

/** Takes lists and sets. */
export const setOrList = known(
  'numeric_set_or_list',
  'a set or list argument',
  (type) => type.kind === 'set' || type.kind === 'list',
);

/** Takes lists and sets of numbers. */
export const numericSetOrList = known(
  'numeric_set_or_list',
  'a numeric set/list argument',
  (type) =>
    (type.kind === 'set' || type.kind === 'list') && numericName(type.element) !== undefined,
);

/** Takes maps. */
export const anyMap = known('map', 'a map argument', (type) => type.kind === 'map');

/** A vector of floats of any length. */
export const floatVector: Parameter = {
  text: 'vector<float, n>',
  infer({ arrayLength, known: type }, receiver) {
    if (arrayLength !== undefined && arrayLength > 0) {
      return { kind: 'vector', element: native('float'), dimensions: arrayLength };
    }
    return type ?? receiver;
  },
  refuses: (type) =>
    type.kind === 'vector' && type.element.kind === 'native' && type.element.name === 'float'
      ? undefined
      : 'a float vector argument',
};

/** The signature of a factory for messages. */
export function factoryText({ name, parameters }: FunctionFactory): string {
  return `system.${name}(${parameters.map(({ text }) => text).join(', ')})`;
}

/**
 * The function for the arguments of a call.
 * @throws InvalidRequestError with Cassandra's message when a type cannot be found or does not fit
 */
export function makeFunction(
  factory: FunctionFactory,
  args: readonly ArgumentType[],
  receiver: CqlType | undefined,
): NativeFunction {
  const { parameters } = factory;
  const required = parameters.filter(({ isOptional }) => isOptional !== true).length;
  if (args.length < required || args.length > parameters.length) {
    throw new InvalidRequestError(
      `Invalid number of arguments for function ${factoryText(factory)}`,
    );
  }
  const types = args.map((argument, i) => parameters[i]?.infer(argument, receiver, undefined));
  const found: CqlType[] = [];
  args.forEach((argument, i) => {
    const parameter = parameters[i];
    const type = parameter?.infer(argument, receiver, types);
    if (parameter === undefined || type === undefined) {
      throw new InvalidRequestError(
        `Cannot infer type of argument ${argument.text} in call to function ${factoryText(factory)}: use type casts to disambiguate`,
      );
    }
    const wanted = parameter.refuses(type);
    if (wanted !== undefined) {
      throw new InvalidRequestError(
        `Function system.${factory.name} requires ${wanted}, but found argument ${argument.text} of type ${printType(type)}`,
      );
    }
    types[i] = type;
    found.push(type);
  });
  return factory.make(found, receiver);
}

/** A scalar function of the factory's name. */
export function scalar(
  name: string,
  args: readonly CqlType[],
  result: CqlType,
  call: ScalarFunction['call'],
): ScalarFunction {
  return {
    kind: 'scalar',
    name: `system.${name}`,
    args,
    result,
    columnName: (parts) => `system.${name}(${parts.join(', ')})`,
    call,
  };
}
