/**
 * The syntax tree of CQL 3.4.7 (Cassandra 5.0). Nodes are plain read-only records with a `kind` and the span of their
 * text. Names are already folded: lower case unless they were quoted.
 */

/** Offsets in UTF-16 code units of the statement text; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A name after folding. */
export interface Identifier {
  readonly text: string;
  readonly quoted: boolean;
  readonly span: Span;
}

/** `keyspace.name` or `name`. */
export interface QualifiedName {
  readonly keyspace: Identifier | undefined;
  readonly name: Identifier;
  readonly span: Span;
}

/** Token class of a constant. Cassandra decides by it which types a constant fits. */
export type ConstantType = 'string' | 'integer' | 'float' | 'boolean' | 'uuid' | 'hex' | 'duration';

/**
 * A literal. `index` counts the constants of the statement from 0 in order of text; with the statement's shape it lets
 * a plan be used again for other constants. `text` is the value's text: unescaped content of strings (quotes and $$ removed),
 * digits with sign of numbers, hex with its 0x.
 */
export interface Constant {
  readonly kind: 'constant';
  readonly type: ConstantType;
  readonly text: string;
  readonly index: number;
  readonly span: Span;
}

/** `?` or `:name`; `index` counts the markers of the statement from 0 in order of text. */
export interface BindMarker {
  readonly kind: 'bind';
  readonly index: number;
  readonly name: string | undefined;
  readonly span: Span;
}

/** A term or a selector. Value positions use a subset, which the planner checks. */
export type Expression =
  | Constant
  | BindMarker
  | { readonly kind: 'null'; readonly span: Span }
  | { readonly kind: 'list'; readonly items: readonly Expression[]; readonly span: Span }
  /** `{a, b}`; `{}` is an empty set literal. */
  | { readonly kind: 'set'; readonly items: readonly Expression[]; readonly span: Span }
  | {
      readonly kind: 'map';
      readonly entries: readonly (readonly [Expression, Expression])[];
      readonly span: Span;
    }
  | {
      readonly kind: 'udt';
      readonly fields: readonly { readonly name: Identifier; readonly value: Expression }[];
      readonly span: Span;
    }
  /** `(a, b)`, and `(a)`, which Cassandra reads as a tuple of one where a tuple is wanted. */
  | { readonly kind: 'tuple'; readonly items: readonly Expression[]; readonly span: Span }
  | {
      readonly kind: 'function';
      readonly keyspace: string | undefined;
      readonly name: string;
      readonly args: readonly Expression[];
      readonly span: Span;
    }
  /** `(type) term`. */
  | {
      readonly kind: 'type_hint';
      readonly type: TypeName;
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'arithmetic';
      readonly operator: '+' | '-' | '*' | '/' | '%';
      readonly left: Expression;
      readonly right: Expression;
      readonly span: Span;
    }
  | { readonly kind: 'negate'; readonly value: Expression; readonly span: Span }
  // selectors only
  | { readonly kind: 'column'; readonly name: Identifier; readonly span: Span }
  | {
      readonly kind: 'field';
      readonly value: Expression;
      readonly field: Identifier;
      readonly span: Span;
    }
  | {
      readonly kind: 'element';
      readonly value: Expression;
      readonly key: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'slice';
      readonly value: Expression;
      readonly from: Expression | undefined;
      readonly to: Expression | undefined;
      readonly span: Span;
    }
  /** `count(*)` and `count(1)`. */
  | { readonly kind: 'count_rows'; readonly span: Span }
  | {
      readonly kind: 'cast';
      readonly value: Expression;
      readonly type: TypeName;
      readonly span: Span;
    }
  | {
      readonly kind: 'metadata';
      readonly function: 'writetime' | 'maxwritetime' | 'ttl';
      /** A column, or an element, slice or field of one. */
      readonly value: Expression;
      readonly span: Span;
    };

/** A type as written, not yet resolved: `frozen<list<int>>`, `my_udt`, `'org.…CustomType'`. */
export type TypeName =
  /** Native types by name (aliases not yet folded) and user types. */
  | { readonly kind: 'named'; readonly name: QualifiedName; readonly span: Span }
  | {
      readonly kind: 'parametrised';
      readonly name: 'list' | 'set' | 'map' | 'tuple' | 'frozen';
      readonly args: readonly TypeName[];
      readonly span: Span;
    }
  | {
      readonly kind: 'vector';
      readonly element: TypeName;
      readonly dimensions: number;
      readonly span: Span;
    }
  | { readonly kind: 'custom'; readonly className: string; readonly span: Span };

/** Operators between one column and one value. */
export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** One relation of a WHERE clause. */
export type Relation =
  | {
      readonly kind: 'comparison';
      readonly column: Identifier;
      readonly operator: ComparisonOperator | 'LIKE' | 'CONTAINS' | 'CONTAINS KEY';
      readonly value: Expression;
      readonly span: Span;
    }
  | { readonly kind: 'is_not_null'; readonly column: Identifier; readonly span: Span }
  /** `c IN (a, b)`, `c IN ?`: one bind marker means that the whole list is bound. */
  | {
      readonly kind: 'in';
      readonly column: Identifier;
      readonly values: readonly Expression[] | BindMarker;
      readonly span: Span;
    }
  | {
      readonly kind: 'element';
      readonly column: Identifier;
      readonly key: Expression;
      readonly operator: ComparisonOperator;
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'token';
      readonly columns: readonly Identifier[];
      readonly operator: ComparisonOperator;
      readonly value: Expression;
      readonly span: Span;
    }
  /** `(a, b) > (x, y)`; the value is a tuple or a bind marker. */
  | {
      readonly kind: 'tuple';
      readonly columns: readonly Identifier[];
      readonly operator: ComparisonOperator;
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'tuple_in';
      readonly columns: readonly Identifier[];
      readonly values: readonly Expression[] | BindMarker;
      readonly span: Span;
    };

/** One selector of a SELECT. */
export interface Selector {
  readonly expression: Expression;
  readonly alias: Identifier | undefined;
  readonly span: Span;
}

/** SELECT. */
export interface SelectStatement {
  readonly kind: 'select';
  readonly json: boolean;
  readonly distinct: boolean;
  /** `undefined` stands for `*`. */
  readonly selectors: readonly Selector[] | undefined;
  readonly table: QualifiedName;
  readonly where: readonly Relation[];
  readonly groupBy: readonly Expression[];
  readonly orderBy: readonly {
    readonly column: Identifier;
    readonly direction: 'asc' | 'desc';
    /** `ORDER BY c ANN OF …`. */
    readonly annOf: Expression | undefined;
  }[];
  readonly perPartitionLimit: Expression | undefined;
  readonly limit: Expression | undefined;
  readonly allowFiltering: boolean;
  readonly span: Span;
}

/** USING TTL … AND TIMESTAMP …; each may appear once. */
export interface UsingClause {
  readonly ttl: Expression | undefined;
  readonly timestamp: Expression | undefined;
}

/** INSERT. */
export interface InsertStatement {
  readonly kind: 'insert';
  readonly table: QualifiedName;
  readonly columns: readonly Identifier[];
  readonly values: readonly Expression[];
  /** INSERT … JSON: `columns` and `values` are empty. */
  readonly json: { readonly value: Expression; readonly defaultUnset: boolean } | undefined;
  readonly ifNotExists: boolean;
  readonly using: UsingClause;
  readonly span: Span;
}

/** One assignment of an UPDATE. */
export type Assignment =
  | {
      readonly kind: 'set';
      readonly column: Identifier;
      readonly value: Expression;
      readonly span: Span;
    }
  /** `c = c + v`, `c = c - v`, `c += v`, `c -= v`. */
  | {
      readonly kind: 'operation';
      readonly column: Identifier;
      readonly operator: '+' | '-';
      readonly value: Expression;
      readonly span: Span;
    }
  /** `c = v + c`. */
  | {
      readonly kind: 'prepend';
      readonly column: Identifier;
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'set_element';
      readonly column: Identifier;
      readonly key: Expression;
      readonly value: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'set_field';
      readonly column: Identifier;
      readonly field: Identifier;
      readonly value: Expression;
      readonly span: Span;
    };

/** One condition of a lightweight transaction. */
export interface Condition {
  readonly column: Identifier;
  readonly key: Expression | undefined;
  readonly field: Identifier | undefined;
  readonly operator: ComparisonOperator | 'IN' | 'CONTAINS' | 'CONTAINS KEY';
  /** One value, or the list of IN, or one marker for the whole list of IN. */
  readonly value: Expression | readonly Expression[];
  readonly span: Span;
}

/** UPDATE. */
export interface UpdateStatement {
  readonly kind: 'update';
  readonly table: QualifiedName;
  readonly using: UsingClause;
  readonly assignments: readonly Assignment[];
  readonly where: readonly Relation[];
  readonly ifExists: boolean;
  readonly conditions: readonly Condition[];
  readonly span: Span;
}

/** What a DELETE removes of a row. */
export interface DeleteTarget {
  readonly column: Identifier;
  readonly key: Expression | undefined;
  readonly field: Identifier | undefined;
  readonly span: Span;
}

/** DELETE. */
export interface DeleteStatement {
  readonly kind: 'delete';
  readonly table: QualifiedName;
  /** Empty: the whole row, slice or partition. */
  readonly targets: readonly DeleteTarget[];
  readonly using: UsingClause;
  readonly where: readonly Relation[];
  readonly ifExists: boolean;
  readonly conditions: readonly Condition[];
  readonly span: Span;
}

/** A data statement that may stand in a BATCH. */
export type ModificationStatement = InsertStatement | UpdateStatement | DeleteStatement;

/** BEGIN BATCH … APPLY BATCH. */
export interface BatchStatement {
  readonly kind: 'batch';
  readonly type: 'logged' | 'unlogged' | 'counter';
  readonly using: UsingClause;
  readonly statements: readonly ModificationStatement[];
  readonly span: Span;
}

/** A value of a property: a constant, a name, or a (nested) map of them. */
export type PropertyValue =
  | { readonly kind: 'constant'; readonly constant: Constant; readonly span: Span }
  | { readonly kind: 'name'; readonly name: string; readonly span: Span }
  | {
      readonly kind: 'map';
      readonly entries: readonly (readonly [string, PropertyValue])[];
      readonly span: Span;
    };

/** One `name = value` of a WITH clause; `span` covers both. */
export interface Property {
  readonly name: Identifier;
  readonly value: PropertyValue;
  readonly span: Span;
}

/** `MASKED WITH f(…)`. */
export interface MaskClause {
  /** `default` for DEFAULT. */
  readonly function: QualifiedName | 'default';
  /** All arguments but the first, which is the column's value. */
  readonly args: readonly Expression[];
  /** From MASKED on. */
  readonly span: Span;
}

/** A column of CREATE TABLE or ALTER TABLE ADD. */
export interface ColumnDefinition {
  readonly name: Identifier;
  readonly type: TypeName;
  readonly isStatic: boolean;
  /** `c int PRIMARY KEY`. */
  readonly isPrimaryKey: boolean;
  readonly mask: MaskClause | undefined;
  /** Where the type ends, with STATIC behind it: a mask stands after that. */
  readonly typeEnd: number;
  readonly span: Span;
}

/** CREATE TABLE. */
export interface CreateTableStatement {
  readonly kind: 'create_table';
  readonly ifNotExists: boolean;
  readonly table: QualifiedName;
  readonly columns: readonly ColumnDefinition[];
  /** From PRIMARY KEY (…), or from the column marked PRIMARY KEY; the parser leaves the number of keys to the planner. */
  readonly primaryKeys: readonly {
    readonly partition: readonly Identifier[];
    readonly clustering: readonly Identifier[];
  }[];
  readonly clusteringOrder: readonly {
    readonly column: Identifier;
    readonly direction: 'asc' | 'desc';
  }[];
  readonly compactStorage: boolean;
  /** All properties but CLUSTERING ORDER and COMPACT STORAGE, also `id`. */
  readonly properties: readonly Property[];
  readonly span: Span;
}

/** RESTORE TABLE new FROM TABLE old: of Amazon Keyspaces, Cassandra has no such statement. */
export interface RestoreTableStatement {
  readonly kind: 'restore_table';
  readonly table: QualifiedName;
  readonly source: QualifiedName;
  readonly properties: readonly Property[];
  readonly span: Span;
}

/** What ALTER TABLE does. */
export type AlterTableAction =
  | {
      readonly kind: 'add';
      readonly ifNotExists: boolean;
      readonly columns: readonly ColumnDefinition[];
    }
  | {
      readonly kind: 'drop';
      readonly ifExists: boolean;
      readonly columns: readonly Identifier[];
      /** USING TIMESTAMP. */
      readonly timestamp: Expression | undefined;
    }
  | {
      readonly kind: 'rename';
      readonly ifExists: boolean;
      readonly renames: readonly { readonly from: Identifier; readonly to: Identifier }[];
    }
  | { readonly kind: 'with'; readonly properties: readonly Property[] }
  | { readonly kind: 'alter_type'; readonly column: Identifier; readonly type: TypeName }
  | {
      readonly kind: 'mask';
      readonly ifExists: boolean;
      readonly column: Identifier;
      readonly mask: MaskClause;
    }
  | { readonly kind: 'drop_mask'; readonly column: Identifier }
  | { readonly kind: 'drop_compact_storage' };

/** ALTER TABLE. */
export interface AlterTableStatement {
  readonly kind: 'alter_table';
  readonly ifExists: boolean;
  readonly table: QualifiedName;
  readonly action: AlterTableAction;
  readonly span: Span;
}

/** What of a column an index is on; `simple` also stands for the values of a collection. */
export type IndexTargetKind = 'simple' | 'values' | 'keys' | 'entries' | 'full';

/** A column of CREATE INDEX. */
export interface IndexTargetName {
  readonly kind: IndexTargetKind;
  readonly column: Identifier;
  readonly span: Span;
}

/** CREATE INDEX, also CREATE CUSTOM INDEX. */
export interface CreateIndexStatement {
  readonly kind: 'create_index';
  readonly isCustom: boolean;
  readonly ifNotExists: boolean;
  readonly index: QualifiedName | undefined;
  readonly table: QualifiedName;
  readonly targets: readonly IndexTargetName[];
  /** What stands between the parentheses. */
  readonly targetsSpan: Span;
  /** From USING. */
  readonly className: string | undefined;
  readonly properties: readonly Property[];
  readonly span: Span;
}

/** CREATE MATERIALIZED VIEW. */
export interface CreateViewStatement {
  readonly kind: 'create_view';
  readonly ifNotExists: boolean;
  readonly view: QualifiedName;
  /** `undefined` for `*`. */
  readonly selectors: readonly Selector[] | undefined;
  /** The base table. */
  readonly table: QualifiedName;
  readonly where: readonly Relation[];
  readonly primaryKey: {
    readonly partition: readonly Identifier[];
    readonly clustering: readonly Identifier[];
  };
  readonly clusteringOrder: CreateTableStatement['clusteringOrder'];
  readonly properties: readonly Property[];
  readonly span: Span;
}

/** Every statement. */
export type Statement =
  | SelectStatement
  | ModificationStatement
  | BatchStatement
  | { readonly kind: 'use'; readonly keyspace: Identifier; readonly span: Span }
  | {
      readonly kind: 'create_keyspace';
      readonly ifNotExists: boolean;
      readonly keyspace: Identifier;
      readonly properties: readonly Property[];
      readonly span: Span;
    }
  | {
      readonly kind: 'alter_keyspace';
      readonly ifExists: boolean;
      readonly keyspace: Identifier;
      readonly properties: readonly Property[];
      readonly span: Span;
    }
  | {
      readonly kind: 'drop_keyspace';
      readonly ifExists: boolean;
      readonly keyspace: Identifier;
      readonly span: Span;
    }
  | CreateTableStatement
  | AlterTableStatement
  | RestoreTableStatement
  | CreateIndexStatement
  | {
      readonly kind: 'drop_index';
      readonly ifExists: boolean;
      readonly index: QualifiedName;
      readonly span: Span;
    }
  | {
      readonly kind: 'drop_table';
      readonly ifExists: boolean;
      readonly table: QualifiedName;
      readonly span: Span;
    }
  | CreateViewStatement
  | {
      readonly kind: 'alter_view';
      readonly ifExists: boolean;
      readonly view: QualifiedName;
      readonly properties: readonly Property[];
      readonly span: Span;
    }
  | {
      readonly kind: 'drop_view';
      readonly ifExists: boolean;
      readonly view: QualifiedName;
      readonly span: Span;
    }
  | { readonly kind: 'truncate'; readonly table: QualifiedName; readonly span: Span }
  | {
      readonly kind: 'create_type';
      readonly ifNotExists: boolean;
      readonly type: QualifiedName;
      readonly fields: readonly {
        readonly name: Identifier;
        readonly type: TypeName;
        readonly span: Span;
      }[];
      readonly span: Span;
    }
  | {
      readonly kind: 'alter_type';
      readonly ifExists: boolean;
      readonly type: QualifiedName;
      readonly action:
        | {
            readonly kind: 'add';
            readonly ifNotExists: boolean;
            readonly fields: readonly { readonly name: Identifier; readonly type: TypeName }[];
          }
        | {
            readonly kind: 'rename';
            readonly ifExists: boolean;
            readonly renames: readonly { readonly from: Identifier; readonly to: Identifier }[];
          }
        | { readonly kind: 'alter'; readonly field: Identifier; readonly type: TypeName };
      readonly span: Span;
    }
  | {
      readonly kind: 'drop_type';
      readonly ifExists: boolean;
      readonly type: QualifiedName;
      readonly span: Span;
    }
  /** CREATE [OR REPLACE] and DROP of FUNCTION and AGGREGATE: whole grammar checked. */
  | {
      readonly kind: 'user_function';
      readonly change: 'create' | 'drop';
      readonly what: 'function' | 'aggregate';
      readonly name: QualifiedName;
      /** Types it names: of arguments, of the result or the state. */
      readonly types: readonly TypeName[];
      readonly span: Span;
    }
  /** DESCRIBE in all forms; `target` is the words after DESCRIBE, upper case, e.g. 'TABLE', 'FULL SCHEMA', 'KEYSPACES', or '' for a bare name. */
  | {
      readonly kind: 'describe';
      readonly target: string;
      readonly name: QualifiedName | undefined;
      readonly withInternals: boolean;
      readonly span: Span;
    }
  /**
   * Roles and permissions: whole grammar checked. `name` is e.g. 'CREATE ROLE', 'GRANT'; `resource` is the data resource it
   * names, if any: a table, or a keyspace, also one of functions.
   */
  | {
      readonly kind: 'roles';
      readonly name: string;
      readonly resource:
        | { readonly kind: 'keyspace'; readonly keyspace: Identifier }
        | { readonly kind: 'table'; readonly table: QualifiedName }
        | undefined;
      readonly span: Span;
    }
  /** A statement that the proxy recognises by its first words but does not run: 'CREATE FUNCTION', 'CREATE TRIGGER', … */
  | { readonly kind: 'unsupported'; readonly name: string; readonly span: Span };
