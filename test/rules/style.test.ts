// SPDX-License-Identifier: Apache-2.0
// The style of what a person reads: comments and messages of the source, and the pages. A failure names path and line.
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { proseOfPage, proseOfSource, readProse, sentencesOf, wordCount } from './prose.ts'

const maxWords = 25

/** Old ways to say it, and what to write instead. */
const oldWays: [RegExp, string][] = [
  [/\bis none\b|\bare none\b|\bthere is none\b/i, 'does not exist'],
  [/(?<!\bthere )\bis no (?!longer|more than|such)\w+/i, 'is not a …, has no …'],
  [/\bnobody has read\b/i, 'untrusted'],
  [/\bbut for\b/i, 'except'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\btold\b/i, 'reported, said'],
  [/\ba look\b|\blooks? anew\b/i, 'a sample, a check'],
  [/\bown wish\b/i, 'deliberate'],
  [/\b(?<!not |for |in |wait |takes? |took )so long\b(?! that)/i, 'as long as, while'],
  [/\bas (?!soon|long|far|if|it has|well|much|many)(?:\S+ ){1,3}has it\b/i, 'as in …'],
  [/\b[Aa]ll is\b/, 'everything is'],
  [/\bwhat is not\b/i, 'name the thing'],
  [/\bas ever\b/i, 'as before, as usual'],
  [/\bas often as (?:wanted|needed|you like)\b/i, 'can be repeated'],
  [/\bit is for good\b|\bfor good and all\b/i, 'permanently'],
  [/\band has done\b/i, 'lifetime totals'],
  [/\bare none of\b|\bis none of\b/i, 'does not belong to'],
  [/\bits (?:kin|like)\b/i, 'name the members'],
  [/\bin vain\b/i, 'without effect'],
  [/\bto be had\b/i, 'available'],
  [/\bsee who may\b/i, 'check'],
  [/\bwhose it is\b/i, 'its owner'],
  [/\bby itself alone\b|\bitself alone\b/i, 'only …'],
]

/** Folders and files that may break the rules. The list is empty and stays so. */
const notYet: string[] = []

const under = (folder: string, ending: RegExp) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !name.includes('generated'))
    .map((name) => `${folder}/${name}`)
const paths = [
  ...under('src', /\.ts$/),
  ...under('native', /\.[ch]$/),
  ...under('docs', /\.md$/),
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
].filter((path) => !notYet.some((start) => path.startsWith(start)))

const withoutCode = (text: string) => text.replace(/`[^`]*`/g, 'CODE').replace(/\]\([^)\s]*\)/g, ']')

/** Returns what is wrong with a passage, one line each. */
function faultsOf({ text, line }: { text: string; line: number }, path: string): string[] {
  const long = sentencesOf(text)
    .filter((sentence) => wordCount(sentence) > maxWords)
    .map((sentence) => `${path}:${line}: ${wordCount(sentence)} words: ${sentence}`)
  const old = oldWays.flatMap(([way, better]) => {
    const plain = withoutCode(text)
    const at = plain.search(way)
    return at < 0
      ? []
      : [`${path}:${line + plain.slice(0, at).split('\n').length - 1}: “${way.exec(plain)![0]}”: write ${better}`]
  })
  return [...long, ...old]
}

test('sentences have at most 25 words, and no old ways', () => {
  expect(paths.flatMap((path) => readProse(path).flatMap((passage) => faultsOf(passage, path)))).toEqual([])
})

test('every entry of the list of exceptions still exists', () => {
  expect(notYet.filter((start) => !existsSync(start))).toEqual([])
})

test('long sentences and old ways are found in comments, messages and pages, with their line', () => {
  const long = Array.from({ length: 26 }, (_, index) => `word${index}`).join(' ')
  const source = `const a = 1\n// ${long}.\nconst b = /'/\nfail(\`the group \${a} is none of them, sir\`)\n`
  const faults = proseOfSource(source, 'ts').flatMap((passage) => faultsOf(passage, 'a.ts'))
  expect(faults).toEqual([
    `a.ts:2: 26 words: ${long}.`,
    'a.ts:4: “is none”: write does not exist',
    expect.stringMatching(/^a\.ts:4: “is none of”/),
  ])
  const page = `# Page\n\nShort. It is none.\n\n    $ all is code\n\n- All is well.\n`
  expect(proseOfPage(page).flatMap((passage) => faultsOf(passage, 'a.md'))).toEqual([
    'a.md:3: “is none”: write does not exist',
    'a.md:7: “All is”: write everything is',
  ])
})
