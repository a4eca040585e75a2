// SPDX-License-Identifier: Apache-2.0
// Prints 60 passages (comments, messages, paragraphs) drawn by a seed, for a reader who has only the passage.
// npx esbuild scripts/passages.ts --bundle --platform=node | node - [SEED]
import { readdirSync } from 'node:fs'
import { readProse } from '../test/rules/prose.ts'

const under = (folder: string, ending: RegExp) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !name.includes('generated'))
    .map((name) => `${folder}/${name}`)
let state = Number(process.argv[2] ?? Date.now() % 1_000_000)
console.log(`seed ${state}`)

/** Returns the next number of a linear congruential generator, from 0 to 1. */
function random(): number {
  state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
  return state / 2 ** 32
}

const passages = [
  ...under('src', /\.ts$/),
  ...under('native', /\.[ch]$/),
  ...under('docs', /\.md$/),
  'README.md',
  'CHANGELOG.md',
]
  .sort()
  .flatMap(readProse)
  .map((passage) => ({ ...passage, text: passage.text.replace(/^.*SPDX-License-Identifier.*$/m, '').trim() }))
  .filter(({ text }) => text.split(/\s+/).length > 5 && !/^(?:[a-z0-9_]+\s+)+[a-z0-9_]+$/.test(text))
for (let count = 0; count < 60; count++) {
  const { path, line, text } = passages[Math.floor(random() * passages.length)]!
  console.log(`${path}:${line}: ${text.replace(/\s+/g, ' ').trim()}`)
}
