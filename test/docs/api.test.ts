// SPDX-License-Identifier: Apache-2.0
// The public API: docs/api.md is generated from the types of the package, every public symbol has what a reader needs, and the examples run.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { codes } from '../../src/errors/errors.ts'
import { collect } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'
import { examplesIn, runExamples } from './run-examples.ts'

interface Declared {
  kind: string
  name: string
  fileUrlPath?: string
  docComment?: string
  isOptional?: boolean
  excerptTokens?: { text: string }[]
  members?: Declared[]
}
let members: Declared[] = []
let checked: { status: number | null; stderr: string }

const missing = existsSync('node_modules/.bin/api-extractor')
  ? undefined
  : 'API Extractor is not installed: npm install'

beforeAll(async () => {
  if (missing) return
  const folder = mkdtempSync('build/api-test-')
  try {
    checked = await collect(process.execPath, ['scripts/api-page.js', '--check', '--model', `${folder}/model.json`])
    if (existsSync(`${folder}/model.json`)) members = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 120_000)

/** Returns a comment without its frame. */
const commentOf = ({ docComment = '' }: Declared) =>
  docComment
    .replace(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replace(/^ *\* ?/gm, '')
    .trim()
const description = (one: Declared) =>
  commentOf(one)
    .split(/@(?:throws|see|example|internal)\b/)[0]!
    .trim()
const declaration = ({ excerptTokens = [] }: Declared) => excerptTokens.map(({ text }) => text).join('')
const throwsOf = (one: Declared) =>
  [...commentOf(one).matchAll(/@throws\s+([^@]*)/g)].map(([, text]) => text!).join('\n')

/** A kernel file, which the kernel's documentation describes. */
const isKernelFile = ({ kind, name }: Declared) => /^["'][\w.]+["']$/.test(name) || kind === 'IndexSignature'
/** Overloads share the description of the first one. */
const first = (all: Declared[]) => all.filter(({ name }, i) => all.findIndex((one) => one.name === name) === i)

/** Returns all symbols and members to check, with the name for a failure. */
function everything(): [name: string, symbol: Declared, owner?: Declared][] {
  return first(members).flatMap((symbol) => [
    [symbol.name, symbol],
    ...first(symbol.members ?? [])
      .filter((member) => !isKernelFile(member) && member.kind !== 'Constructor')
      .map((member): [string, Declared, Declared] => [`${symbol.name}.${member.name}`, member, symbol]),
  ])
}

/** The fields of a result, which RunError has too. */
const isFieldOfResult = (member: Declared, owner?: Declared) =>
  owner?.name === 'RunError' &&
  members.find(({ name }) => name === 'Result')!.members!.some(({ name }) => name === member.name)

const callables = () => everything().filter(([, { kind }]) => kind === 'Function' || kind === 'Method')

describe.skipIf(missing)('the public API', () => {
  test('docs/api.md is up to date, and each type that a public declaration names is exported', () => {
    expect(checked).toMatchObject({ status: 0, stderr: '' })
    expect(members.length).toBeGreaterThan(80)
  })

  test('each symbol and each member has a description', () => {
    const without = everything().filter(([, one, owner]) => !description(one) && !isFieldOfResult(one, owner))
    expect(without.map(([name]) => name)).toEqual([])
  })

  test('each function and each class has an example', () => {
    const without = members.filter(
      ({ kind, name }) =>
        /^(Function|Class)$/.test(kind) && !members.some((one) => one.name === name && /@example/.test(commentOf(one))),
    )
    expect(without.map(({ name }) => name)).toEqual([])
  })

  test('each option says its default, or that it is required', () => {
    const options = everything().filter(
      ([, one, owner]) => /(Options|Limits|Trigger)$/.test(owner?.name ?? '') && one.kind === 'PropertySignature',
    )
    const without = options.filter(
      ([, one, owner]) =>
        !/default|[Rr]equired|^The same as `/.test(description(one)) && !/Absent means/.test(description(owner!)),
    )
    expect(options.length).toBeGreaterThan(70)
    expect(without.map(([name]) => name)).toEqual([])
  })

  test('each number says its unit', () => {
    const unit =
      /bytes|milliseconds|microseconds|seconds|percent|\bCPUs?\b|number|\bcount|\btasks\b|process id|\bid\b|status|: 0 to 1|-?\d+ .*to \d+|by name|priority|\bunit\b|per second/i
    const numbers = everything().filter(
      ([, one]) => /^Property/.test(one.kind) && /:[^:]*\bnumber\b/.test(declaration(one).replace(/\[.*?\]/g, '')),
    )
    const without = numbers.filter(
      ([, one, owner]) =>
        !unit.test(description(one)) && !/^The same as/.test(description(one)) && !isFieldOfResult(one, owner),
    )
    expect(numbers.length).toBeGreaterThan(60)
    expect(without.map(([name, one]) => `${name}: ${declaration(one)}`)).toEqual([])
  })

  test('each function and method lists the codes of the errors that its code can throw', {
    timeout: 60_000,
  }, async () => {
    const { thrownCodes } = await import('./thrown-codes.ts')
    const declared = new Map(callables().map(([name, one, owner]) => [name, throwsOf(one) + textOfClass(owner)]))
    const missing: string[] = []
    for (const [name, one, owner] of callables()) {
      const { fileUrlPath } = owner ?? one
      if (owner?.kind === 'Interface' || fileUrlPath === undefined) continue
      const path = fileUrlPath.replace(/^dist\/types\/(.*)\.d\.ts$/, 'src/$1.ts')
      const text = withReferences(declared.get(name)!, owner, declared)
      for (const code of thrownCodes(path, name))
        if (!inEvery.has(code) && !caught[name]?.includes(code) && !new RegExp(`\\b${code}\\b`).test(text))
          missing.push(`${name}: @throws ${code}`)
    }
    expect(declared.size).toBeGreaterThan(35)
    expect(missing).toEqual([])
  })

  test('each code after @throws exists', () => {
    const named = callables().flatMap(([name, one]) =>
      (throwsOf(one).match(/\b[A-Z]+_[A-Z_]+\b/g) ?? []).map((code) => [name, code]),
    )
    expect(named.length).toBeGreaterThan(80)
    expect(named.filter(([, code]) => !(codes() as string[]).includes(code!) && code !== 'CAP_SYS_RESOURCE')).toEqual(
      [],
    )
  })

  test('the examples print what their comments say', { timeout: 60_000 }, async (context) => {
    requires(context, 'root')
    const examples = members.flatMap((one) => examplesIn(one.name, commentOf(one)))
    expect(examples.length).toBeGreaterThanOrEqual(14)
    const names = [...new Set(members.filter(({ kind }) => /^(Function|Class)$/.test(kind)).map(({ name }) => name))]
    expect(await runExamples(examples, names)).toEqual(examples.map(({ name, prints }) => ({ name, prints })))
  })
})

/** Codes of errors that every call can throw; docs/api.md says so. */
const inEvery = new Set(['NATIVE_MISSING', 'HOST_UNSUPPORTED'])

/** Codes that a function catches itself, or with which it rejects the promises of other calls. */
const caught: { [name: string]: string[] } = {
  why: ['CGROUP_NOT_FOUND'],
  'Pool.close': ['POOL_CLOSED'],
  'Pool.[Symbol.asyncDispose]': ['POOL_CLOSED'],
}

const textOfClass = (owner?: Declared) => (owner ? throwsOf(owner) : '')

/** Adds the errors of other functions to which a text refers. */
function withReferences(text: string, owner: Declared | undefined, declared: Map<string, string>): string {
  const others = [...text.matchAll(/the same errors as `([\w.]+)`/g)].map(
    ([, name]) => declared.get(`${owner?.name}.${name}`) ?? declared.get(name!),
  )
  if (others.includes(undefined)) throw new Error(`an unknown function in: ${text}`)
  return [text, ...others].join('\n')
}
