// SPDX-License-Identifier: Apache-2.0
// The commands of docs/kubernetes.md print what the page says. `UPDATE=1 npx vitest run test/docs/kubernetes` writes what they print.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { hutchHost } from '../support/command.ts'
import { commandsOf, typed } from './console.ts'

const path = 'docs/kubernetes.md'
const directory = mkdtempSync(`${tmpdir()}/hutch-kube-docs-`)
afterAll(() => rmSync(directory, { recursive: true }))

const page = readFileSync(path, 'utf8')
const files = [...page.matchAll(/^```yaml\n# (\S+)\n([\s\S]*?)^```$/gm)]

beforeAll(() => {
  for (const [, name, text] of files) writeFileSync(`${directory}/${name}`, text!)
  writeFileSync(`${directory}/all.yaml`, files.map(([, , text]) => text).join('---\n'))
})

test(`${path} has commands`, () => expect(commandsOf(path).length).toBeGreaterThan(3))

/** Figures of a run differ from run to run, and kernels from each other. */
function steady(text: string): string {
  return text
    .replace(/; this kernel lacks .*/g, '')
    .replace(/ with(out)? oom_score_adj -?\d+(, which needs CAP_SYS_RESOURCE)?/g, ' with oom_score_adj N')
    .replace(/\d+ files of/g, 'N files of')
    .replace(/\d+(\.\d+)? (ms|s)$/gm, 'N ms')
    .replace(/peak of [\d.]+/g, 'peak of N')
    .replace(/(cpu: \d+m(?= # CPU)|memory: \d+Mi(?= # peak))/g, 'N')
    .replace(/memory\.max \([\d.]+ MiB\)/g, 'memory.max (N MiB)')
}

const host = readHost()
const isSkipped = hutchHost !== 'node' || host.uid !== 0

test.skipIf(isSkipped).for(commandsOf(path))(
  '%s prints what the page says (skipped elsewhere: hutch for Node, root)',
  async ([command, output]) => {
    const { stdout } = await typed(`{ ${command}\n} 2>&1`, directory, directory)
    if (process.env.UPDATE) {
      const block = `$ ${command}\n`
      const now = readFileSync(path, 'utf8')
      writeFileSync(path, now.replace(`${block}${output}`, `${block}${stdout}`))
    } else expect(steady(stdout)).toBe(steady(output))
  },
)
