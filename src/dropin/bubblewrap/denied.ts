// SPDX-License-Identifier: Apache-2.0
// Describes what a bwrap request may have denied its program, in the words of hutch run. Pure.
import type { Figure } from '../../verdict/cause.ts'
import { deniedLine } from '../../verdict/denied-words.ts'
import { who } from '../../verdict/words.ts'
import type { BwrapPlan } from './program.ts'

/**
 * Returns a line that says what the sandbox may have denied to a program. Returns undefined if the program ended with status 0, or the
 * sandbox denies nothing.
 */
export function deniedBySandbox({ request, kinds }: BwrapPlan, status: number): string | undefined {
  const hasHostRoot = request.steps.some((step) => step.do === 'bind' && step.source === '/' && step.target === '/')
  const figures: Figure[] = []
  if (request.filters.length > 0) figures.push({ figure: 'denied', by: 'seccomp' })
  if (!hasHostRoot) figures.push({ figure: 'denied', by: 'root' })
  if (kinds.has('net')) figures.push({ figure: 'denied', by: 'network' })
  const [command = ''] = request.words
  return status === 0 || figures.length === 0
    ? undefined
    : deniedLine(figures, `${who({ command })} exited with status ${status}`)
}
