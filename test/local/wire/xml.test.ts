import { describe, expect, test } from 'vitest'
import { readXml, writeXml, XmlError } from '../../../local/wire/xml.ts'

describe('writing', () => {
  test('names repeated elements once each and leaves out what is undefined', () => {
    const text = writeXml('List', { Name: 'n', Gone: undefined, Item: [{ Key: 'a' }, { Key: 'b' }], Count: 2 })
    expect(text.replace(/\s*\n\s*/g, '')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><List><Name>n</Name><Item><Key>a</Key></Item><Item><Key>b</Key></Item><Count>2</Count></List>',
    )
  })

  test.each(['<&>"\'', '  blanks  ', '&amp;lt;', 'emoji 🎬 你好', 'a\tb', ''])('%j survives a round trip', (text) => {
    expect(readXml(writeXml('Root', { Key: text }), 'Root').value('Key')).toBe(text)
  })
})

describe('reading', () => {
  test('finds repeated children in order, whatever stands around them', () => {
    const root = readXml('<?xml version="1.0"?>\n<R xmlns="urn:x">\n <P><N>2</N></P>\n <Q/><P><N>1</N></P></R>', 'R')
    expect(root.all('P').map((part) => part.value('N'))).toEqual(['2', '1'])
    expect(root.value('Q')).toBe('')
    expect(root.value('None')).toBeUndefined()
  })

  test('decodes each entity exactly once', () => {
    expect(readXml('<R>&amp;lt;&#65;&#x1F3AC;&apos;&unknown;&#xD800;</R>', 'R').text).toBe("&lt;A🎬'&unknown;&#xD800;")
  })

  test('decodes nothing in a CDATA section', () => {
    expect(readXml('<R>&lt;<![CDATA[<a>&amp;]]>&gt;</R>', 'R').text).toBe('<<a>&amp;>')
  })

  test.each([
    ['nothing', ''],
    ['elements that lie too deep in each other', `<R>${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}</R>`],
    ['no XML', 'hello'],
    ['an element that is not closed', '<R><P></R>'],
    ['another root', '<S></S>'],
    ['a document type', '<!DOCTYPE R [<!ENTITY a "b">]><R>&a;</R>'],
  ])('refuses %s', (_name, text) => {
    expect(() => readXml(text, 'R')).toThrow(XmlError)
  })
})
