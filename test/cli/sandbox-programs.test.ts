// SPDX-License-Identifier: Apache-2.0
// Real programs in a sandbox, by the commands that the pages tell, with no more loosening than stands there.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, typed } from '../docs/console.ts'
import { workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'

const { path: work, remove } = workplace()
const [here, bin] = [`${work}/here`, `${work}/bin`]

beforeAll(() => {
  mkdirSync(here)
  mkdirSync(bin)
  writeFileSync(`${here}/answer.c`, '#include <stdio.h>\nint main(void) { return printf("%d\\n", 6 * 7) < 0; }\n')
  writeFileSync(`${here}/page.html`, '<p id=answer>0</p><script>answer.textContent = 6 * 7</script>')
  writeFileSync(`${here}/check.py`, 'import os\nprint(len(os.listdir()), "files")\n')
  const git = (...words: string[]) =>
    execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@e', ...words], { cwd: here, stdio: 'ignore' })
  git('init', '-q', 'first')
  git('-C', 'first', 'commit', '-q', '--allow-empty', '-m', 'begin')
})
afterAll(remove)

const sections = ['Real programs', 'Rules by path'].flatMap((name) => commandsOf('docs/sandbox.md', name))
const commands = [...commandsOf('docs/coming-from.md'), ...sections]

test('the pages have these programs', () => {
  const words = commands.map(([command]) => command).join('\n')
  for (const program of ['node', 'python3', 'gcc', 'git', 'busybox', 'chromium']) expect(words).toContain(`${program} `)
})

test.for(commands)('%s', async ([command, output], context) => {
  requires(context, 'root', 'busybox')
  if (command.includes('landlock')) requires(context, 'Landlock')
  if (command.includes('chromium')) requires(context, 'not a VM', 'chromium')
  // an overlay, as a VM's root is, has no maps of ids
  if (command.includes(':idmap')) requires(context, 'not a VM')
  const { stdout, stderr, status } = await typed(command, here, bin)
  // what fails as the page says prints all of it on stdout
  const failed = command.endsWith('2>&1')
  expect({ stdout, stderr, status }).toEqual({ stdout: output, stderr: '', status: failed ? 1 : 0 })
})
