import { computed, defineComponent, h, type VNodeChild } from 'vue'
import { parseMarkdown, type Block, type Inline } from '@/lib/markdown'
import '@/styles/prose.css'

/** Markdown as elements; its highest headings are of the given level, below those of the page. */
export default defineComponent({
  name: 'MarkdownText',
  props: { source: { type: String, required: true }, level: { type: Number, default: 3 } },
  setup(props) {
    const blocks = computed(() => parseMarkdown(props.source))
    const highest = computed(() =>
      Math.min(6, ...blocks.value.map((b) => (b.kind === 'heading' ? b.depth : 6))),
    )
    return () => h('div', { class: 'prose' }, drawBlocks(blocks.value, props.level - highest.value))
  },
})

const drawBlocks = (blocks: Block[], shift: number): VNodeChild[] => blocks.map((b) => drawBlock(b, shift))

function drawBlock(block: Block, shift: number): VNodeChild {
  switch (block.kind) {
    case 'heading':
      return h(`h${Math.min(6, block.depth + shift)}`, draw(block.children))
    case 'paragraph':
      return h('p', draw(block.children))
    case 'code':
      return h('pre', { tabindex: 0 }, h('code', block.text))
    case 'quote':
      return h('blockquote', drawBlocks(block.blocks, shift))
    case 'list':
      return h(
        block.ordered ? 'ol' : 'ul',
        block.ordered && block.start !== 1 ? { start: block.start } : {},
        block.items.map((item) => h('li', drawItem(item, shift))),
      )
    case 'table':
      return drawTable(block)
    case 'rule':
      return h('hr')
  }
}

/** An item of one paragraph needs none around it. */
function drawItem(item: Block[], shift: number): VNodeChild[] {
  const [first, ...rest] = item
  if (first?.kind !== 'paragraph') return drawBlocks(item, shift)
  return [...draw(first.children), ...drawBlocks(rest, shift)]
}

function drawTable(table: Extract<Block, { kind: 'table' }>): VNodeChild {
  const head = table.head.map((cell) => h('th', { scope: 'col' }, draw(cell)))
  const rows = table.rows.map((row) =>
    h(
      'tr',
      row.map((cell) => h('td', draw(cell))),
    ),
  )
  return h('table', [h('thead', h('tr', head)), h('tbody', rows)])
}

const draw = (parts: Inline[]): VNodeChild[] => parts.map(drawInline)

function drawInline(part: Inline): VNodeChild {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'break':
      return h('br')
    case 'code':
      return h('code', part.text)
    case 'link':
      return h('a', { href: part.href, rel: 'noopener noreferrer nofollow' }, draw(part.children))
    default:
      return h(part.kind, draw(part.children))
  }
}
