// SPDX-License-Identifier: Apache-2.0
// Starts the dashboard's page: exchanges the token for a cookie, reads the stream of events and draws the changes.
import type { All, Change, Past, Processes, Session } from '../api-types.ts'
import { below, keepBase } from './base.ts'
import { makeCharts } from './charts.ts'
import { drawProcesses, makeDetails } from './details.ts'
import { find, make, printable, setText } from './dom.ts'
import { formatSize, nameOf } from './format.ts'
import { makeLists } from './lists.ts'
import { makeMap } from './map.ts'
import { makeState, takeAll, takeChange } from './state.ts'

const processesMs = 2000
const silenceMs = 10_000

const state = makeState()
const charts = makeCharts()
const details = makeDetails(state)
const lists = makeLists(state, (path) => {
  select(path)
  // on a narrow page, scroll to the details, which are below the list
  if (matchMedia('(max-width: 900px)').matches) find('group').scrollIntoView()
})
const map = makeMap(state, select, drawCrumbs)

/** The group that the charts show. Its history is fetched once; later samples come from the stream. */
let wanted = ''

function draw(): void {
  // do not draw a hidden page; it is drawn when it becomes visible
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
  drawProcesses({ processes: [], more: 0 })
  draw()
  void fetchPast()
  void fetchProcesses()
}

async function fetchPast(): Promise<void> {
  const path = state.selected
  wanted = path
  charts.show(undefined)
  const past = state.rows.has(path) ? await get<Past>('/history', path) : undefined
  if (wanted !== path || !past) return
  charts.show(past)
  draw()
}

async function fetchProcesses(): Promise<void> {
  const path = state.selected
  if (!state.rows.has(path)) return drawProcesses({ processes: [], more: 0 })
  const found = document.hidden ? undefined : await get<Processes>('/processes', path)
  if (found && path === state.selected && state.rows.has(path)) drawProcesses(found)
}

async function get<T>(what: string, group: string): Promise<T | undefined> {
  try {
    const response = await fetch(below(`${what}?group=${encodeURIComponent(group)}`))
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

function reportLive(isOn: boolean, text: string): void {
  const live = find('live')
  live.className = isOn ? 'on' : 'off'
  setText(live, text)
}

let stream: EventSource | undefined
let heard = 0

function follow(): void {
  stream?.close()
  const opened = new EventSource(below('/events'))
  stream = opened
  heard = Date.now()
  opened.addEventListener('all', (event) => {
    heard = Date.now()
    takeAll(state, JSON.parse(event.data) as All)
    const { name, memory, cpus, layout } = state.host!
    setText(find('host'), `${name}: ${cpus} CPUs, ${formatSize(memory)}, cgroup ${layout}`)
    reportLive(true, 'live')
    drawCrumbs()
    details.reset()
    draw()
    void fetchPast()
    void fetchProcesses()
  })
  opened.addEventListener('change', (event) => {
    heard = Date.now()
    const change = JSON.parse(event.data) as Change
    takeChange(state, change)
    if (change.gone.includes(state.selected)) void fetchProcesses()
    charts.add(state.time, state.rows.get(state.selected))
    draw()
  })
  opened.addEventListener('error', async () => {
    if (opened.readyState !== EventSource.CLOSED) return reportLive(false, 'connecting again …')
    // the error event of an EventSource contains no reason, so send a normal request to learn it
    const response = await fetch(below('/events')).catch(() => undefined)
    const answer = response && !response.ok ? ((await response.json()) as { said: string }) : undefined
    void response?.body?.cancel().catch(() => {})
    if (opened === stream) reportLive(false, printable(answer?.said ?? 'the hutch server does not answer'))
  })
}

/** Reconnects if no event arrived for some time. A connection that was cut by a suspend or a tunnel can look open. */
function followAnew(): void {
  if (stream?.readyState !== EventSource.OPEN || Date.now() - heard < silenceMs) return
  reportLive(false, 'connecting again …')
  follow()
}

/** Reads the fragment of the URL: the token of the printed URL, or the path of the selected group. */
async function start(): Promise<void> {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? []
  if (token !== undefined) {
    // first remove the token from the address bar and the browser's history
    history.replaceState(null, '', '/')
    const response = await fetch('/session', { method: 'POST', body: JSON.stringify({ token }) }).catch(() => undefined)
    if (!response) return reportLive(false, 'the hutch server does not answer')
    if (!response.ok) return reportLive(false, 'the token is wrong: open the URL that hutch dashboard printed')
    keepBase((await response.json()) as Session)
  } else if (location.hash.startsWith('#/')) {
    const path = decode(location.hash.slice(1))
    if (stream && path !== undefined) return select(path)
    state.selected = path ?? '/'
  }
  if (!stream || token !== undefined) follow()
}

function decode(text: string): string | undefined {
  try {
    return decodeURI(text)
  } catch {
    return undefined
  }
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
// focusable, so that the list can be scrolled with the keyboard
find('scroll').tabIndex = 0
setInterval(fetchProcesses, processesMs)
setInterval(followAnew, 1000)
// start again if the user opens another URL in this page, such as that of a restarted server
addEventListener('hashchange', () => void start())
void start()
