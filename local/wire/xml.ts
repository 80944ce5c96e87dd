import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'

/** What can be written: text, numbers, nested elements, repeated elements; `undefined` is left out. */
export type XmlValue = string | number | boolean | undefined | XmlFields | readonly XmlValue[]

/** Child elements by name, in the order of their keys. */
export interface XmlFields {
  readonly [name: string]: XmlValue
}

/** An element that was read; a missing child reads as no elements and as no text. */
export interface XmlElement {
  readonly name: string
  /** Text directly inside the element, with entities decoded and white space kept. */
  readonly text: string
  /** All child elements, in document order. */
  readonly children: readonly XmlElement[]
  /** Child elements with this name, in document order. */
  all(name: string): readonly XmlElement[]
  /** Text of the first child with this name. */
  value(name: string): string | undefined
}

/** The document is not XML, has another root than was expected, or uses a document type. */
export class XmlError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'XmlError'
  }
}

const builder = new XMLBuilder({ format: true, indentBy: '  ', suppressEmptyNode: false, processEntities: true })

/** A document with its declaration. */
export function writeXml(root: string, fields: XmlFields | string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: withoutUndefined(fields) })}`
}

/** A document that was read, as it is written here: without comments, instructions and space between elements. */
export function rewriteXml(element: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${rewriteElement(element)}`
}

function rewriteElement({ name, text, children }: XmlElement): string {
  const inside = children.length > 0 ? children.map(rewriteElement).join('') : escapeText(text)
  return `<${name}>${inside}</${name}>`
}

function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (character) => (character === '&' ? '&amp;' : character === '<' ? '&lt;' : '&gt;'))
}

function withoutUndefined(value: XmlValue): unknown {
  if (Array.isArray(value)) return value.map((item: XmlValue) => withoutUndefined(item))
  if (typeof value !== 'object') return value
  const entries = Object.entries(value as XmlFields).filter(([, child]) => child !== undefined)
  return Object.fromEntries(entries.map(([name, child]) => [name, withoutUndefined(child)]))
}

const CDATA = '#cdata'

// preserveOrder keeps text apart from children, so that a key made of blanks survives and repeated names stay a list.
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  removeNSPrefix: true,
  processEntities: false,
  cdataPropName: CDATA,
})

/** Reads a document whose root must be `root`; throws `XmlError`. */
export function readXml(text: string, root: string): XmlElement {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) throw new XmlError('a document type is not accepted')
  const valid = XMLValidator.validate(text)
  if (valid !== true) throw new XmlError(valid.err.msg)
  const nodes = parseNodes(text)
  const element = nodes.map(toElement).find((node) => node !== undefined)
  if (element?.name !== root) throw new XmlError(`the root must be ${root}`)
  return element
}

/** The parser has limits of its own, such as how deep elements may lie in each other. */
function parseNodes(text: string): readonly RawNode[] {
  try {
    return parser.parse(text) as readonly RawNode[]
  } catch (error) {
    throw new XmlError(error instanceof Error ? error.message : 'the document cannot be read')
  }
}

type RawNode = Readonly<Record<string, unknown>>

function toElement(node: RawNode): XmlElement | undefined {
  const name = Object.keys(node).find((key) => key !== ':@')
  if (name === undefined || name.startsWith('#')) return undefined
  const inner = (node[name] ?? []) as readonly RawNode[]
  const children = inner.map(toElement).filter((child) => child !== undefined)
  const text = inner.map(textOf).join('')
  const all = (wanted: string) => children.filter((child) => child.name === wanted)
  return { name, text, children, all, value: (wanted) => all(wanted)[0]?.text }
}

/** In a CDATA section nothing stands for anything else. */
function textOf(node: RawNode): string {
  const cdata = node[CDATA] as readonly RawNode[] | undefined
  if (cdata) return cdata.map((child) => String(child['#text'] ?? '')).join('')
  return typeof node['#text'] === 'string' ? decodeEntities(node['#text']) : ''
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The five named entities and character references; one pass, so that `&amp;lt;` stays `&lt;`. */
function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED[String(name)] ?? whole
    const code = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16)
    const character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    return character ? String.fromCodePoint(code) : whole
  })
}
