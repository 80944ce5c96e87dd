import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { object, ref, type Schema } from './schema.ts'

/** The types of `shared/api.ts` by name. */
export interface ApiTypes {
  /** The schema of a named type; throws for a type that is not there. Generic types are not kept by name. */
  schema(name: string): Schema
}

/** Reads the bodies of the API from the file that both sides compile against. */
export function apiTypes(): ApiTypes {
  return typesOf(readFileSync(new URL('../../shared/api.ts', import.meta.url), 'utf8'))
}

type Declaration = ts.InterfaceDeclaration | ts.TypeAliasDeclaration

/** The types in a text; what JSON Schema cannot say, or is not needed here, is an error and not a guess. */
export function typesOf(text: string): ApiTypes {
  const source = ts.createSourceFile('api.ts', text, ts.ScriptTarget.ES2023, true)
  const declared = new Map<string, Declaration>()
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      declared.set(statement.name.text, statement)
    }
  }

  const declarationOf = (name: string): Declaration => {
    const declaration = declared.get(name)
    if (declaration) return declaration
    throw new Error(`shared/api.ts has no type ${name}`)
  }

  const propertiesOf = (declaration: Declaration | ts.TypeLiteralNode): ts.PropertySignature[] => {
    if (ts.isTypeAliasDeclaration(declaration)) throw unsupported(declaration)
    const bases = ts.isInterfaceDeclaration(declaration) ? (declaration.heritageClauses ?? []) : []
    const inherited = bases.flatMap(({ types }) =>
      types.flatMap(({ expression }) => propertiesOf(declarationOf(expression.getText()))),
    )
    return [...inherited, ...declaration.members.map(asProperty)]
  }

  const objectOf = (declaration: ts.InterfaceDeclaration | ts.TypeLiteralNode): Schema => {
    const properties = propertiesOf(declaration)
    const optional = properties.filter(({ questionToken }) => questionToken).map(nameOf)
    return object(Object.fromEntries(properties.map((property) => [nameOf(property), propertyOf(property)])), optional)
  }

  const propertyOf = (property: ts.PropertySignature): Schema => {
    if (!property.type) throw unsupported(property)
    const schema = refined(nameOf(property), convert(property.type))
    const description = commentOf(property)
    return description === undefined ? schema : { ...schema, description }
  }

  const convert = (type: ts.TypeNode): Schema => {
    if (ts.isTypeOperatorNode(type) || ts.isParenthesizedTypeNode(type)) return convert(type.type)
    if (ts.isArrayTypeNode(type)) return { type: 'array', items: convert(type.elementType) }
    if (ts.isUnionTypeNode(type)) return union(type.types.map(convert))
    return ts.isTypeLiteralNode(type) ? objectOf(type) : single(type)
  }

  const single = (type: ts.TypeNode): Schema => {
    const keyword = KEYWORDS.get(type.kind)
    if (keyword) return keyword
    if (ts.isLiteralTypeNode(type)) return literal(type)
    if (!ts.isTypeReferenceNode(type) || type.typeArguments) throw unsupported(type)
    return ref(declarationOf(type.typeName.getText()).name.text)
  }

  return {
    schema(name) {
      const declaration = declarationOf(name)
      const schema = ts.isInterfaceDeclaration(declaration) ? objectOf(declaration) : convert(declaration.type)
      const description = commentOf(declaration)
      return description === undefined ? schema : { description, ...schema }
    },
  }
}

const KEYWORDS: ReadonlyMap<ts.SyntaxKind, Schema> = new Map([
  [ts.SyntaxKind.StringKeyword, { type: 'string' }],
  [ts.SyntaxKind.NumberKeyword, { type: 'number' }],
  [ts.SyntaxKind.BooleanKeyword, { type: 'boolean' }],
])

function literal({ literal: node }: ts.LiteralTypeNode): Schema {
  if (node.kind === ts.SyntaxKind.NullKeyword) return { type: 'null' }
  if (node.kind === ts.SyntaxKind.TrueKeyword) return { type: 'boolean', const: true }
  if (node.kind === ts.SyntaxKind.FalseKeyword) return { type: 'boolean', const: false }
  if (ts.isStringLiteral(node)) return { type: 'string', const: node.text }
  throw unsupported(node)
}

/** Texts that may be chosen from become one enumeration; `null` beside a simple type becomes a second type. */
function union(members: readonly Schema[]): Schema {
  if (members.every((member) => 'const' in member && member.type === 'string')) {
    return { type: 'string', enum: members.map((member) => member.const) }
  }
  const [only, ...more] = members.filter((member) => member.type !== 'null')
  const nullable = members.some((member) => member.type === 'null')
  if (nullable && only && more.length === 0 && typeof only.type === 'string' && !('const' in only)) {
    return { ...only, type: [only.type, 'null'] }
  }
  return { anyOf: members }
}

/** What the API promises by the name of a field: `…At` is a time, `…Ms` and `…Bytes` are whole numbers. */
function refined(name: string, schema: Schema): Schema {
  if (schema.type === 'number' && /(Ms|Bytes)$/.test(name)) return { ...schema, type: 'integer', minimum: 0 }
  if (schema.type !== 'string' || 'const' in schema || 'enum' in schema) return schema
  if (/At$|^expiration$/.test(name)) return { ...schema, format: 'date-time' }
  return /Url$/.test(name) ? { ...schema, format: 'uri' } : schema
}

function asProperty(member: ts.TypeElement): ts.PropertySignature {
  if (ts.isPropertySignature(member)) return member
  throw unsupported(member)
}

function nameOf({ name }: ts.PropertySignature): string {
  return ts.isStringLiteral(name) ? name.text : name.getText()
}

function commentOf(node: ts.Node): string | undefined {
  const text = ts
    .getJSDocCommentsAndTags(node)
    .map((comment) => ts.getTextOfJSDocComment(comment.comment))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim()
  return text === '' ? undefined : text
}

function unsupported(node: ts.Node): Error {
  return new Error(`shared/api.ts says something that the API document cannot: ${node.getText()}`)
}
