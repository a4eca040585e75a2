// SPDX-License-Identifier: Apache-2.0
// The page of `hutch advise --html` in the browser: draws the charts from the data in the page.
import uPlot from 'uplot'
import { find, make, setText } from '../../dashboard/page/dom.ts'
import { formatSize } from '../../dashboard/page/format.ts'
import type { PageData } from '../page-data.ts'

const height = 240
const data = JSON.parse(find('data').textContent ?? '') as PageData

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function axes(formatX: (value: number) => string): uPlot.Axis[] {
  const axis = {
    stroke: color('quiet'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
  }
  return [
    { ...axis, size: 24, space: 80, values: (_plot, ticks) => ticks.map(formatX) },
    { ...axis, size: 58, space: 34, values: (_plot, ticks) => ticks.map(formatMs) },
  ]
}

function dots(name: string): uPlot.Series {
  return { stroke: color(name), width: 1.5, points: { show: true, size: 8, fill: color(name), stroke: color(name) } }
}

function drawAdvised(plot: uPlot): void {
  if (data.advised === null) return
  const { ctx, bbox } = plot
  const x = plot.valToPos(data.advised, 'x', true)
  ctx.save()
  ctx.strokeStyle = color('blue')
  ctx.lineWidth = 2 * devicePixelRatio
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  ctx.restore()
}

function options(width: number, x: (value: number) => string, series: uPlot.Series[]): uPlot.Options {
  return {
    width,
    height,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: spread }, y: { range: (_plot, _min, max) => [0, (max || 1) * 1.1] } },
    axes: axes(x),
    series: [{}, ...series],
  }
}

/** A little room on both sides, also if there is only one value. */
function spread(_plot: uPlot, min: number, max: number): [number, number] {
  const room = (max - min) * 0.05 || max * 0.1 || 1
  return [min - room, max + room]
}

function memoryChart(place: HTMLElement): uPlot {
  const runs = data.runs.filter(({ memory }) => memory !== null).toSorted((a, b) => a.memory! - b.memory!)
  const columns = [
    runs.map(({ memory }) => memory!),
    runs.map(({ ms, passed }) => (passed ? ms : null)),
    runs.map(({ ms, passed }) => (passed ? null : ms)),
  ]
  const both = options(place.clientWidth, formatSize, [dots('green'), { ...dots('red'), paths: () => null }])
  return new uPlot({ ...both, hooks: { draw: [drawAdvised] } }, columns as uPlot.AlignedData, place)
}

function cpuChart(place: HTMLElement): uPlot {
  const columns = [data.cpuTimes.map(({ cpus }) => cpus), data.cpuTimes.map(({ ms }) => ms)]
  const one = options(place.clientWidth, (value) => value.toFixed(2), [dots('blue')])
  return new uPlot(one, columns as uPlot.AlignedData, place)
}

function fillTables(): void {
  setText(find('headline'), data.headline)
  for (const [label, text] of data.lines) find('lines').append(make('dt', { text: label }), make('dd', { text }))
  for (const { memory, ms, outcome } of data.runs) {
    const cells = [
      make('td', { text: String(find('runs').querySelectorAll('tbody tr').length + 1) }),
      make('td', { text: memory === null ? 'none' : formatSize(memory), classes: 'number' }),
      make('td', { text: formatMs(ms), classes: 'number' }),
      make('td', { text: outcome }),
    ]
    find('runs')
      .querySelector('tbody')!
      .append(make('tr', {}, ...cells))
  }
  for (const { name, count, pods, share } of data.packed) {
    const part = (of: number, classes: string) => {
      const inner = make('div')
      inner.style.width = `${Math.min(100, of * 100)}%`
      return make('div', { classes }, inner)
    }
    const text = make('div', { text: `${count} × ${name}: ${pods} each` })
    find('machines').append(make('li', {}, text, part(share.cpu, 'fill'), part(share.memory, 'fill violet')))
  }
}

fillTables()
find('memory-part').hidden = data.runs.length === 0
find('cpu-part').hidden = data.cpuTimes.length === 0
find('machines-part').hidden = data.packed.length === 0

const makers: [string, (place: HTMLElement) => uPlot][] = [
  ['memory', memoryChart],
  ['cpu', cpuChart],
]
for (const [id, draw] of makers) {
  const place = find(id)
  if (place.parentElement!.hidden) continue
  let plot = draw(place)
  const renew = () => {
    plot.destroy()
    plot = draw(place)
    plot.root.querySelector('canvas')?.setAttribute('aria-hidden', 'true')
  }
  renew()
  // a canvas does not follow style changes
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', renew)
  new ResizeObserver(() => {
    if (place.clientWidth > 0 && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height })
  }).observe(place)
}
