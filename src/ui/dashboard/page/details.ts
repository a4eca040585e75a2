// SPDX-License-Identifier: Apache-2.0
// Draws the page's details of the selected group: figures, limits and processes.
import type { GroupRow, Processes } from '../api-types.ts'
import { ask } from './ask.ts'
import { find, keep, make, printable, setText } from './dom.ts'
import { formatCount, formatCpus, formatSeconds, formatShare, formatSize } from './format.ts'
import type { State } from './state.ts'

const limits: { file: string; key: keyof GroupRow; format: (value: never) => string; hint: string }[] = [
  { file: 'memory.max', key: 'memoryMax', format: formatSize, hint: '64M, max' },
  { file: 'memory.high', key: 'memoryHigh', format: formatSize, hint: '64M, max' },
  { file: 'memory.swap.max', key: 'swapMax', format: formatSize, hint: '0, 64M, max' },
  { file: 'cpu.max', key: 'cpuMax', format: formatCpus, hint: 'CPUs: 0.5, max' },
  { file: 'pids.max', key: 'pidsMax', format: formatCount, hint: '100, max' },
]

export interface Details {
  draw(): void
  /** Redraws everything, after another group was selected or changes were allowed. */
  reset(): void
}

export function makeDetails(state: State): Details {
  const figures = find('figures')
  const inputs = makeLimits(state)
  let last: string | undefined
  const draw = () => {
    const row = state.rows.get(state.selected)
    setText(find('group-title'), state.selected + (row ? (row.frozen ? ' (frozen)' : '') : ' (gone)'))
    const shown: [string, string, string][] = [
      ['CPU', formatCpus(row?.cpus), of(row?.cpuMax, formatCpus)],
      ['Memory', formatSize(row?.memory), of(row?.memoryMax, formatSize)],
      ['Peak', formatSize(row?.memoryPeak), ''],
      ['Swap', formatSize(row?.swap), of(row?.swapMax, formatSize)],
      ['Tasks', formatCount(row?.pids), of(row?.pidsMax, formatCount)],
      ['Throttled', formatShare(row?.throttled), ''],
      ['Killed for memory', formatCount(row?.oomKills), ''],
      ['Forks refused', formatCount(row?.pidsRefused), ''],
    ]
    keep(
      figures,
      shown,
      () => make('div', {}, make('dt'), make('dd', {}, make('span'), make('small'))),
      (element, [name, value, limit]) => {
        setText(element.querySelector('dt')!, name)
        setText(element.querySelector('span')!, value)
        setText(element.querySelector('small')!, limit)
      },
    )
    inputs.draw(row)
    drawActions(state, row)
  }
  return {
    draw,
    reset() {
      // draw the inputs again only if needed, so that the user's input is kept when the page reconnects
      const now = `${state.allowChanges} ${state.rows.size > 0} ${state.selected}`
      if (now !== last) {
        setText(find('said'), '')
        inputs.reset()
      }
      last = now
      draw()
    },
  }
}

function of<T extends number>(limit: T | 'max' | undefined, format: (value: T) => string): string {
  return typeof limit === 'number' ? ` of ${format(limit)}` : ''
}

/** Draws the buttons for a group. Keeps unchanged buttons, so that no button disappears under the pointer. */
function drawActions(state: State, row: GroupRow | undefined): void {
  const path = state.selected
  const wanted = !state.allowChanges || !row || path === '/' ? [] : [row.frozen ? 'Thaw' : 'Freeze', 'Kill']
  const place = find('actions')
  const key = `${wanted.join()} ${path}`
  if (place.dataset.key === key) return
  place.dataset.key = key
  place.replaceChildren(
    ...wanted.map((word) => {
      const button = make('button', { text: `${word} …` })
      button.type = 'button'
      const action = word.toLowerCase() as 'kill' | 'freeze' | 'thaw'
      const text = {
        kill: `All processes of ${path}, and of all groups below it, are killed at once.`,
        freeze: `All processes of ${path}, and of all groups below it, stop until they are thawed.`,
        thaw: `The processes of ${path} go on.`,
      }[action]
      button.addEventListener(
        'click',
        () => void ask({ action, group: path }, { title: `${word} ${path}?`, text, yes: word }),
      )
      return button
    }),
  )
}

function makeLimits(state: State) {
  const form = find<HTMLFormElement>('limits')
  let rows: ({ key: keyof GroupRow; format: (value: never) => string } & ReturnType<typeof makeLimit>)[] = []
  form.addEventListener('submit', (event) => event.preventDefault())
  const set = (file: string, value: string, now: string) => {
    const group = state.selected
    if (value.trim() === '') return
    void ask(
      { action: 'limit', group, file, value },
      { title: `Set ${file} to ${value.trim()}?`, text: `The limit of ${group} is now ${now}.`, yes: 'Set' },
    )
  }
  const makeLimit = (file: string, hint: string, canChange: boolean) => {
    const output = make('output')
    const name = make('span', {}, make('span', { text: `${file} `, classes: 'quiet' }), output)
    if (!canChange) return { label: make('label', {}, name), output }
    const input = make('input')
    input.placeholder = hint
    input.setAttribute('aria-label', `${file}: ${hint}`)
    input.autocomplete = 'off'
    input.maxLength = 40
    input.name = file
    const button = make('button', { text: 'Set …' })
    button.type = 'button'
    button.setAttribute('aria-label', `Set ${file}`)
    const go = () => set(file, input.value, output.value)
    button.addEventListener('click', go)
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return
      // the key that opens the question must not also answer it
      event.preventDefault()
      go()
    })
    return { label: make('label', {}, name, input, button), output }
  }
  return {
    draw(row: GroupRow | undefined) {
      for (const { label, output, key, format } of rows) {
        // hide the limit if the group was removed or has no such file
        label.hidden = row?.[key] === undefined
        setText(output, format(row?.[key] as never))
      }
    },
    reset() {
      const isRoot = state.selected === '/'
      const note = state.allowChanges ? '' : 'To change limits, start hutch dashboard with --allow-changes'
      setText(find('limits-note'), state.rows.size === 0 ? '' : isRoot ? 'The root has none' : note)
      rows = limits.map(({ file, key, format, hint }) => ({
        ...makeLimit(file, hint, state.allowChanges),
        key,
        format,
      }))
      form.replaceChildren(...rows.map(({ label }) => label))
    },
  }
}

/** Draws the list of processes. It is fetched every two seconds. */
export function drawProcesses({ processes, more }: Processes): void {
  setText(find('processes-note'), `${processes.length + more}${more > 0 ? `, the ${processes.length} largest` : ''}`)
  keep(
    document.querySelector('#processes tbody')!,
    processes,
    () =>
      make(
        'tr',
        {},
        make('td', { classes: 'number' }),
        make('td'),
        make('td', { classes: 'number' }),
        make('td', { classes: 'number' }),
        make('td'),
      ),
    (row, { pid, uid, resident, cpuUsec, command, group }) => {
      const texts = [
        String(pid),
        uid === 0 ? 'root' : String(uid),
        formatSize(resident),
        formatSeconds(cpuUsec),
        command,
      ]
      for (const [i, text] of texts.entries()) setText(row.children[i]!, text)
      row.title = printable(group)
    },
  )
}
