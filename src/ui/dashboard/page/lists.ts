// SPDX-License-Identifier: Apache-2.0
// Draws the page's table of groups, largest first, and its list of events.
import { find, keep, make, printable, setText } from './dom.ts'
import { above, formatCount, formatCpus, formatShare, formatSize, formatTime, nameOf } from './format.ts'
import { innermost, markNames, type State } from './state.ts'

const maxRows = 40
const maxEvents = 60

export function makeLists(state: State, select: (path: string) => void): { draw(): void } {
  const body = document.querySelector('#list tbody')!
  body.addEventListener('click', (event) => {
    const row = (event.target as HTMLElement).closest('tr')
    if (row?.dataset.path !== undefined) select(row.dataset.path)
  })
  const events = find('events')
  events.addEventListener('click', (event) => {
    const item = (event.target as HTMLElement).closest('li')
    if (item?.dataset.group !== undefined) select(item.dataset.group)
  })
  return {
    draw() {
      drawGroups(state, body)
      drawEvents(state, events)
    },
  }
}

function drawGroups(state: State, body: Element): void {
  const { rows, filter, measure, selected } = state
  const found = [...rows].filter(
    ([path, row]) => path !== '/' && (filter === '' ? row.populated !== false : path.includes(filter)),
  )
  found.sort(([a, left], [b, right]) => (right[measure] ?? 0) - (left[measure] ?? 0) || (a < b ? -1 : 1))
  keep(
    body,
    found.slice(0, maxRows),
    () => {
      const name = make('button', {}, make('b'), make('small'))
      name.type = 'button'
      const meter = make('meter')
      meter.max = 1
      meter.high = 0.95
      meter.low = 0.8
      meter.optimum = 0
      return make(
        'tr',
        {},
        make('td', {}, name),
        make('td', { classes: 'number' }),
        make('td', { classes: 'number' }),
        make('td', { classes: 'wide' }, meter, make('span')),
        make('td', { classes: 'number' }),
      )
    },
    (element, [path, row]) => {
      element.dataset.path = path
      element.className = row.populated === false ? 'idle' : ''
      element.setAttribute('aria-current', String(path === selected))
      const [name, cpu, memory, share, tasks] = element.children as unknown as HTMLElement[]
      const [own, parent] = name!.firstElementChild!.children as unknown as HTMLElement[]
      setText(own!, nameOf(path))
      setText(parent!, above(path) === '/' ? '' : ` in ${above(path)}`)
      name!.title = printable(path)
      setText(cpu!, formatCpus(row.cpus))
      setText(memory!, formatSize(row.memory))
      setText(tasks!, formatCount(row.pids))
      const full =
        typeof row.memoryMax === 'number' && row.memory !== undefined
          ? row.memory / Math.max(1, row.memoryMax)
          : undefined
      const meter = share!.firstElementChild as HTMLMeterElement
      meter.hidden = full === undefined
      meter.value = full ?? 0
      meter.setAttribute('aria-label', 'memory of its limit')
      setText(share!.lastElementChild!, full === undefined ? '' : formatShare(full))
    },
  )
  const more = found.length - maxRows
  setText(find('more'), more > 0 ? `and ${more} more` : found.length === 0 ? "No group's path contains this text." : '')
}

function drawEvents(state: State, list: Element): void {
  const marks = innermost(state.marks.slice(-3 * maxEvents))
    .slice(-maxEvents)
    .reverse()
  find('no-events').hidden = marks.length > 0
  keep(
    list,
    marks,
    () => {
      const button = make('button', {}, make('time'), make('b'), make('span'))
      button.type = 'button'
      return make('li', {}, button)
    },
    (item, { at, group, kind, count }) => {
      item.className = kind
      item.dataset.group = group
      const [time, what, where] = item.firstElementChild!.children as unknown as HTMLElement[]
      setText(time!, formatTime(at))
      setText(what!, count > 1 ? `${markNames[kind]} ×${count}` : markNames[kind])
      setText(where!, group)
    },
  )
}
