/**
 * Markdown of strangers as a tree of a few known kinds. No HTML comes out of it and none goes through: what is written as
 * HTML stays text, links lead to web and mail addresses alone, and pictures become links, as the pages load nothing from
 * elsewhere.
 */
import { lexer, type Token, type Tokens } from 'marked'
import { safeHref } from './links'

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'break' }
  | { kind: 'strong' | 'em' | 'del'; children: Inline[] }
  | { kind: 'link'; href: string; children: Inline[] }

export type Block =
  | { kind: 'heading'; depth: number; children: Inline[] }
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; ordered: boolean; start: number; items: Block[][] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' }

/** Reads Markdown (CommonMark with tables, strikethrough and bare links). */
export function parseMarkdown(source: string): Block[] {
  return blocksOf(lexer(source, { gfm: true }))
}

/** The first words of a text without its marks, for where there is room for a line. */
export function plainText(source: string, most = 200): string {
  const text = parseMarkdown(source).map(blockText).filter(Boolean).join(' ').replaceAll(/\s+/g, ' ').trim()
  return text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'heading':
    case 'paragraph':
      return inlineText(block.children)
    case 'code':
      return block.text
    case 'quote':
      return block.blocks.map(blockText).join(' ')
    case 'list':
      return block.items.map((item) => item.map(blockText).join(' ')).join(', ')
    default:
      return ''
  }
}

const inlineText = (parts: Inline[]): string =>
  parts.map((p) => ('children' in p ? inlineText(p.children) : 'text' in p ? p.text : ' ')).join('')

const blocksOf = (tokens: Token[]): Block[] => tokens.flatMap(blockOf)

function blockOf(token: Token): Block[] {
  switch (token.type) {
    case 'heading':
      return [{ kind: 'heading', depth: (token as Tokens.Heading).depth, children: inlinesOf(token.tokens) }]
    case 'code':
      return [{ kind: 'code', text: (token as Tokens.Code).text }]
    case 'blockquote':
      return [{ kind: 'quote', blocks: blocksOf(token.tokens ?? []) }]
    case 'list':
      return [listOf(token as Tokens.List)]
    case 'table':
      return [tableOf(token as Tokens.Table)]
    case 'hr':
      return [{ kind: 'rule' }]
    case 'space':
    case 'def':
    case 'checkbox':
      return []
    default:
      return [
        {
          kind: 'paragraph',
          children: inlinesOf('tokens' in token && token.tokens ? token.tokens : [token]),
        },
      ]
  }
}

const listOf = (list: Tokens.List): Block => ({
  kind: 'list',
  ordered: list.ordered,
  start: Number(list.start) || 1,
  items: list.items.map((item) => blocksOf(item.tokens)),
})

const tableOf = (table: Tokens.Table): Block => ({
  kind: 'table',
  head: table.header.map((cell) => inlinesOf(cell.tokens)),
  rows: table.rows.map((row) => row.map((cell) => inlinesOf(cell.tokens))),
})

const inlinesOf = (tokens: Token[] = []): Inline[] => tokens.flatMap(inlineOf)

function inlineOf(token: Token): Inline[] {
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, children: inlinesOf(token.tokens) }]
    case 'codespan':
      return [{ kind: 'code', text: (token as Tokens.Codespan).text }]
    case 'br':
      return [{ kind: 'break' }]
    case 'link':
      return linkOf((token as Tokens.Link).href, inlinesOf(token.tokens))
    case 'image': {
      const { href, text } = token as Tokens.Image
      return linkOf(href, [{ kind: 'text', text: text || 'Picture' }])
    }
    default: {
      if (token.type === 'text' && token.tokens) return inlinesOf(token.tokens)
      const { text, raw } = token as { text?: string; raw: string }
      return [{ kind: 'text', text: unescaped(token.type === 'html' ? raw : (text ?? raw)) }]
    }
  }
}

function linkOf(href: string, children: Inline[]): Inline[] {
  const safe = safeHref(href)
  return safe ? [{ kind: 'link', href: safe, children }] : children
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: '\u00a0' }

const unescaped = (text: string): string =>
  text.replaceAll(/&(amp|lt|gt|quot|#39|nbsp);/g, (whole, name: string) => entities[name] ?? whole)
