// SPDX-License-Identifier: Apache-2.0
// Makes the page of `hutch advise --html`: one file that needs no network. Pure.
import type { Advice } from '../../advise/advice.ts'
import { type CostReport, contentOf, costLines } from '../../advise/cost-report.ts'
import { adviceHeadline, adviceLines, outcomeWords } from '../../advise/words.ts'
import { formatSize } from '../../text/units.ts'
import type { PageData } from './page-data.ts'

/** The parts of the page, as text. */
export interface AdvicePage {
  html: string
  css: string
  js: string
}

function limitWords(memory: number | undefined, milliCpus: number | undefined): string {
  const words = [
    ...(memory === undefined ? [] : [formatSize(memory)]),
    ...(milliCpus === undefined ? [] : [`${milliCpus / 1000} CPUs`]),
  ]
  return words.length === 0 ? 'none' : words.join(', ')
}

/** Returns the whole page. */
export function formatAdvicePage(
  { html, css, js }: AdvicePage,
  { advice, cost }: { advice: Advice; cost?: CostReport },
): string {
  const data: PageData = {
    headline: adviceHeadline(advice),
    lines: [...adviceLines(advice), ...(cost ? costLines(cost) : [])],
    runs: advice.runs.map(({ outcome, durationMs, memoryLimit, memoryHigh, milliLimit }) => ({
      memory: memoryLimit ?? memoryHigh ?? null,
      limits: limitWords(memoryLimit ?? memoryHigh, milliLimit),
      ms: durationMs,
      outcome: outcomeWords[outcome],
      passed: outcome === 'passed',
    })),
    advised: advice.resources.memoryLimit ?? null,
    cpuTimes: advice.cpu?.times ?? [],
    packed: (cost?.machines?.packed ?? []).map((entry) => ({
      name: `${entry.count} × ${entry.name}`,
      content: contentOf(entry),
      share: entry.share,
    })),
  }
  // no text of a command ends the element that holds it
  const json = JSON.stringify(data).replaceAll('<', '\\u003c')
  const contents = new Map([
    ['<style id="style">', css],
    ['<script type="application/json" id="data">', json],
    ['<script id="program">', js.replaceAll('</script', '<\\/script')],
  ])
  return [...contents].reduce((page, [tag, content]) => page.replace(tag, () => tag + content), html)
}
