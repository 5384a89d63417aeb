import { expect, test } from 'vitest'
import { safeHref } from '@/lib/links'
import { parseMarkdown, plainText } from '@/lib/markdown'

test('Markdown becomes a tree of known kinds', () => {
  const [heading, paragraph, list, code] = parseMarkdown(
    '# Loot\n\nA **bold** `word` and [a page](https://example.org/x).\n\n- one\n- two\n\n```cs\nint x;\n```\n',
  )
  expect(heading).toEqual({ kind: 'heading', depth: 1, children: [{ kind: 'text', text: 'Loot' }] })
  expect(paragraph).toMatchObject({
    kind: 'paragraph',
    children: [
      { text: 'A ' },
      { kind: 'strong', children: [{ text: 'bold' }] },
      { text: ' ' },
      { kind: 'code', text: 'word' },
      { text: ' and ' },
      { kind: 'link', href: 'https://example.org/x' },
      { text: '.' },
    ],
  })
  expect(list).toMatchObject({ kind: 'list', ordered: false })
  expect(list?.kind === 'list' && list.items).toHaveLength(2)
  expect(code).toEqual({ kind: 'code', text: 'int x;' })
})

test('HTML stays text, and no link leads to a script', () => {
  const source =
    '<script>alert(1)</script>\n\nHi <img src=x onerror=alert(1)> [x](javascript:alert(1)) [y](data:text/html,1) ![p](http://evil.example/p.png)'
  const tree = JSON.stringify(parseMarkdown(source))
  expect(tree).toContain('<script>alert(1)</script>')
  expect(tree).toContain('<img src=x onerror=alert(1)>')
  expect(tree).not.toContain('javascript:')
  expect(tree).not.toContain('data:')
  // A picture is not loaded: it is a link.
  expect(tree).toContain(
    '{"kind":"link","href":"http://evil.example/p.png","children":[{"kind":"text","text":"p"}]}',
  )
})

test('addresses of the web and of mail alone are links', () => {
  expect(safeHref('https://example.org')).toBe('https://example.org/')
  expect(safeHref('mailto:ada@example.org')).toBe('mailto:ada@example.org')
  for (const bad of [
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'data:text/html,x',
    '/relative',
    'vbscript:x',
    '',
  ])
    expect(safeHref(bad)).toBeNull()
})

test('tables, lists within lists, quotes, entities and marks within text', () => {
  expect(parseMarkdown('| a | b |\n|---|---|\n| 1 | *2* |')).toMatchObject([
    { kind: 'table', head: [[{ text: 'a' }], [{ text: 'b' }]], rows: [[[{ text: '1' }], [{ kind: 'em' }]]] },
  ])
  expect(parseMarkdown('3. x\n   - y')).toMatchObject([
    { kind: 'list', ordered: true, start: 3, items: [[{ kind: 'paragraph' }, { kind: 'list' }]] },
  ])
  expect(parseMarkdown('> a &amp; b')).toEqual([
    { kind: 'quote', blocks: [{ kind: 'paragraph', children: [{ kind: 'text', text: 'a & b' }] }] },
  ])
})

test('the first words without marks', () => {
  expect(plainText('# Loot\n\nGives **more** [loot](https://x.example).')).toBe('Loot Gives more loot.')
  expect(plainText('a'.repeat(300), 10)).toBe(`${'a'.repeat(9)}…`)
})
