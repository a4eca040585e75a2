// SPDX-License-Identifier: Apache-2.0
// The page's start: exchanges the token, follows the stream, and draws what has changed.
import type { All, Change, Past, Processes } from '../wire.ts'
import { makeCharts } from './charts.ts'
import { drawProcesses, makeDetails } from './details.ts'
import { find, make, printable, setText } from './dom.ts'
import { formatSize, nameOf } from './format.ts'
import { makeLists } from './lists.ts'
import { makeMap } from './map.ts'
import { makeState, takeAll, takeChange } from './state.ts'

const processesMs = 2000

const state = makeState()
const charts = makeCharts()
const details = makeDetails(state)
const lists = makeLists(state, select)
const map = makeMap(state, select, drawCrumbs)

/** Of the group that the charts show; the past is fetched once, and then grows by what the stream tells. */
let wanted = ''

function draw(): void {
  // nobody sees it: it is drawn when somebody does
  if (document.hidden) return
  map.draw()
  lists.draw()
  details.draw()
  charts.draw(state.marks.filter(({ group }) => group === state.selected))
}

function select(path: string): void {
  state.selected = path
  history.replaceState(null, '', `#${encodeURI(path)}`)
  details.reset()
  draw()
  void fetchPast()
  void fetchProcesses()
}

async function fetchPast(): Promise<void> {
  const path = state.selected
  wanted = path
  charts.show(undefined)
  const past = await get<Past>('/history', path)
  if (wanted !== path || !past) return
  charts.show(past)
  draw()
}

async function fetchProcesses(): Promise<void> {
  const path = state.selected
  const found = document.hidden ? undefined : await get<Processes>('/processes', path)
  if (found && path === state.selected) drawProcesses(found)
}

async function get<T>(what: string, group: string): Promise<T | undefined> {
  try {
    const response = await fetch(`${what}?group=${encodeURIComponent(group)}`)
    return response.ok ? ((await response.json()) as T) : undefined
  } catch {
    return undefined
  }
}

function drawCrumbs(): void {
  const parts = state.zoom === '/' ? [] : state.zoom.slice(1).split('/')
  const paths = ['/', ...parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`)]
  find('crumbs').replaceChildren(
    ...(parts.length === 0 ? [] : paths).map((path) => {
      const button = make('button', { text: nameOf(path) })
      button.type = 'button'
      button.addEventListener('click', () => {
        state.zoom = path
        map.draw()
        drawCrumbs()
      })
      return button
    }),
  )
}

function tellLive(isOn: boolean, text: string): void {
  const live = find('live')
  live.className = isOn ? 'on' : 'off'
  setText(live, text)
}

function follow(): void {
  const stream = new EventSource('/events')
  stream.addEventListener('all', (event) => {
    takeAll(state, JSON.parse(event.data) as All)
    const { name, memory, cpus, layout } = state.host!
    setText(find('host'), `${name}: ${cpus} CPUs, ${formatSize(memory)}, cgroup ${layout}`)
    tellLive(true, 'live')
    drawCrumbs()
    details.reset()
    draw()
    void fetchPast()
    void fetchProcesses()
  })
  stream.addEventListener('change', (event) => {
    takeChange(state, JSON.parse(event.data) as Change)
    charts.add(state.time, state.rows.get(state.selected))
    draw()
  })
  stream.addEventListener('error', async () => {
    if (stream.readyState !== EventSource.CLOSED) return tellLive(false, 'connecting again …')
    // the reason is in no event: asked for once more
    const response = await fetch('/events').catch(() => undefined)
    const answer = response && !response.ok ? ((await response.json()) as { said: string }) : undefined
    void response?.body?.cancel().catch(() => {})
    tellLive(false, printable(answer?.said ?? 'hutch does not answer'))
  })
}

async function start(): Promise<void> {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? []
  if (token !== undefined) {
    // out of the address bar and the history before anything else
    history.replaceState(null, '', '/')
    const response = await fetch('/session', { method: 'POST', body: JSON.stringify({ token }) })
    if (!response.ok) return tellLive(false, 'the token is wrong: open the URL that hutch dashboard printed')
  } else if (location.hash.startsWith('#/')) state.selected = decodeURI(location.hash.slice(1))
  follow()
}

for (const input of document.querySelectorAll<HTMLInputElement>('#measure input'))
  input.addEventListener('change', () => {
    state.measure = input.value === 'cpus' ? 'cpus' : 'memory'
    draw()
  })
find<HTMLInputElement>('filter').addEventListener('input', (event) => {
  state.filter = (event.target as HTMLInputElement).value
  lists.draw()
})
document.addEventListener('visibilitychange', draw)
// the keyboard scrolls it
find('scroll').tabIndex = 0
setInterval(fetchProcesses, processesMs)
void start()
