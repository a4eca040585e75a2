// SPDX-License-Identifier: Apache-2.0
// Makes the page of `hutch advise --html`: one file that needs no network. Pure.
import type { Advice } from '../../advise/advice.ts'
import { type CostReport, costLines } from '../../advise/cost-report.ts'
import { adviceHeadline, adviceLines, outcomeWords } from '../../advise/words.ts'
import type { PageData } from './page-data.ts'

/** The parts of the page, as text. */
export interface AdvicePage {
  html: string
  css: string
  js: string
}

/** Returns the whole page. */
export function formatAdvicePage(
  { html, css, js }: AdvicePage,
  { advice, cost }: { advice: Advice; cost?: CostReport },
): string {
  const data: PageData = {
    headline: adviceHeadline(advice),
    lines: [...adviceLines(advice), ...(cost ? costLines(cost) : [])],
    runs: advice.runs.map(({ purpose, outcome, durationMs, memoryLimit, memoryHigh }) => ({
      memory: memoryLimit ?? memoryHigh ?? null,
      ms: durationMs,
      outcome: outcomeWords[outcome],
      passed: outcome === 'passed',
      purpose,
    })),
    advised: advice.resources.memoryLimit ?? null,
    cpuTimes: advice.cpu?.times ?? [],
    packed: cost?.machines?.packed ?? [],
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
