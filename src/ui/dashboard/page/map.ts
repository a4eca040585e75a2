// SPDX-License-Identifier: Apache-2.0
// Draws the treemap of groups. A group's area is its memory or CPU time, and its children are inside it.
import { find, make, printable, setText } from './dom.ts'
import { above, formatCpus, formatShare, formatSize, nameOf } from './format.ts'
import type { State } from './state.ts'
import { type Box, makeTreemap } from './treemap.ts'

const headerHeight = 18
const gap = 2
/** Minimum side of a drawn box in pixels, and maximum number of boxes. */
const smallest = 5
const maxTiles = 600
/** Milliseconds for which a group is highlighted after a kill. */
const struckMs = 60_000

export interface GroupMap {
  draw(): void
}

export function makeMap(state: State, select: (path: string) => void, zoomed: () => void): GroupMap {
  const map = find('map')
  const tiles = new Map<string, HTMLButtonElement>()
  const treemap = makeTreemap()
  let view = ''
  const empty = make('p', { text: 'No group uses any.', classes: 'empty' })

  const zoom = (path: string) => {
    state.zoom = path
    draw()
    zoomed()
    focus(path)
  }
  const focus = (path: string) => {
    const tile = tiles.get(path)
    if (!tile) return
    for (const other of tiles.values()) other.tabIndex = -1
    tile.tabIndex = 0
    tile.focus()
  }
  const open = (path: string) => {
    const tile = make('button', { classes: 'tile' }, make('b'), document.createTextNode(' '), make('span'))
    tile.type = 'button'
    tile.tabIndex = -1
    tile.dataset.path = path
    tile.addEventListener('click', () => select(path))
    tile.addEventListener('dblclick', () => zoom(path))
    map.append(tile)
    tiles.set(path, tile)
    return tile
  }
  map.addEventListener('keydown', (event) => {
    const path = (event.target as HTMLElement).dataset.path
    if (path === undefined) return
    const beside = (state.children.get(above(path) ?? '') ?? [path]).filter((one) => tiles.has(one))
    const below = (state.children.get(path) ?? []).filter((one) => tiles.has(one))
    const at = beside.indexOf(path)
    const to: { [key: string]: string | undefined } = {
      ArrowRight: beside[(at + 1) % beside.length],
      ArrowLeft: beside.at(at - 1),
      ArrowUp: above(path),
      ArrowDown: below[0],
    }
    if (event.key === '+' && state.children.has(path)) zoom(path)
    else if (event.key === '-' && state.zoom !== '/') zoom(above(state.zoom) ?? '/')
    else if (Object.hasOwn(to, event.key)) focus(to[event.key] ?? path)
    else return
    event.preventDefault()
  })

  const draw = () => {
    const { values, weigh } = measure(state)
    const struck = new Set(
      state.marks.filter(({ kind, at }) => kind === 'oom' && state.time - at < struckMs).map(({ group }) => group),
    )
    const shown = new Set<string>()
    const place = (path: string, box: Box, depth: number) => {
      if (box.width < smallest || box.height < smallest || shown.size >= maxTiles) return
      shown.add(path)
      const children = new Map(
        (state.children.get(path) ?? [])
          .map((child) => [child, weigh(child)] as const)
          .filter(([, weight]) => weight > 0),
      )
      const isOuter = children.size > 0 && box.width > 40 && box.height > headerHeight + 20
      const tile = tiles.get(path) ?? open(path)
      const { style } = tile
      style.left = `${box.x}px`
      style.top = `${box.y}px`
      style.width = `${box.width}px`
      style.height = `${box.height}px`
      style.zIndex = String(depth)
      paint(state, tile, path, { isOuter, box, struck: struck.has(path) })
      if (!isOuter) return
      const inner = {
        x: box.x + gap + 1,
        y: box.y + headerHeight + 1,
        width: box.width - 2 * gap - 2,
        height: box.height - headerHeight - gap - 2,
      }
      // an area without a box shows the group's own use, without that of its children
      const rest = Math.max(0, weigh(path) - [...children.values()].reduce((sum, weight) => sum + weight, 0))
      for (const [child, part] of treemap.divide(path, children, rest, inner)) place(child, part, depth + 1)
    }
    values.clear()
    const { clientWidth: width, clientHeight: height } = map
    const newView = [width, height, state.measure, state.zoom].join(' ')
    if (newView !== view) treemap.forget()
    view = newView
    if (state.rows.size > 0 && weigh(state.zoom) > 0) place(state.zoom, { x: 0, y: 0, width, height }, 0)
    for (const [path, tile] of tiles)
      if (!shown.has(path)) {
        const hadFocus = tile === document.activeElement
        tile.remove()
        tiles.delete(path)
        treemap.forget(path)
        if (hadFocus) focus(state.zoom)
      }
    if (shown.size === 0) map.append(empty)
    else empty.remove()
    if (![...tiles.values()].some((tile) => tile.tabIndex === 0)) {
      const first = tiles.get(state.selected) ?? tiles.get(state.zoom)
      if (first) first.tabIndex = 0
    }
  }
  new ResizeObserver(draw).observe(map)
  return { draw }
}

/** Returns a function that returns a group's weight. The weight of a group without the figure is the sum of its children's. */
function measure(state: State) {
  const values = new Map<string, number>()
  const weigh = (path: string): number => {
    const known = values.get(path)
    if (known !== undefined) return known
    const row = state.rows.get(path)
    const below = (state.children.get(path) ?? []).reduce((sum, child) => sum + weigh(child), 0)
    // give an idle group with processes a small area, so that it stays visible
    const minValue = state.measure === 'cpus' && row?.populated ? 0.002 : 0
    const value = Math.max(row?.[state.measure] ?? 0, below, minValue)
    values.set(path, value)
    return value
  }
  return { values, weigh }
}

function paint(
  state: State,
  tile: HTMLButtonElement,
  path: string,
  { isOuter, box, struck }: { isOuter: boolean; box: Box; struck: boolean },
): void {
  const row = state.rows.get(path)
  const value = state.measure === 'memory' ? formatSize(row?.memory) : `${formatCpus(row?.cpus)} CPUs`
  const full = fullness(state, path)
  const warmth = full === undefined || full < 0.8 ? '' : full < 0.95 ? ' warm' : ' hot'
  tile.className = `tile${isOuter ? ' outer' : warmth}${struck ? ' struck' : ''}`
  const [name, figure] = tile.children as unknown as [HTMLElement, HTMLElement]
  const isLegible = box.width > 34 && box.height > 18
  setText(name, isLegible ? nameOf(path) : '')
  setText(figure, isLegible && (isOuter || box.height > 36) ? value : '')
  const more = [full === undefined ? '' : `${formatShare(full)} of its limit`, struck ? 'killed for memory' : '']
  const label = [`${nameOf(path)} ${value}`, ...more, path].filter(Boolean).join(', ')
  if (tile.title !== printable(label)) {
    tile.title = printable(label)
    tile.setAttribute('aria-label', printable(label))
  }
  tile.setAttribute('aria-pressed', String(path === state.selected))
}

/** Returns which share of its limit a group uses. If the CPU limit throttles the group, this is 1. */
function fullness(state: State, path: string): number | undefined {
  const row = state.rows.get(path)
  if (state.measure === 'memory')
    return typeof row?.memoryMax === 'number' && row.memory !== undefined ? row.memory / row.memoryMax : undefined
  return typeof row?.cpuMax === 'number' && row.cpus !== undefined ? row.cpus / row.cpuMax : undefined
}
