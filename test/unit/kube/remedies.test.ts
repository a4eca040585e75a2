// SPDX-License-Identifier: Apache-2.0
// Remedies that name a change are applied to the broken object, and the problem is gone.
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Problem } from '../../../src/kube/documents.ts'
import { makeKubelet } from '../../../src/kube/kubelet.ts'
import { readManifest } from '../../../src/kube/manifest.ts'
import { brokenObjects } from './broken-objects.ts'
import { changed } from './objects.ts'

type Holder = { [key: string]: unknown }

/** How a remedy changes the value at a path: what it becomes, or the object that holds it. */
const changes: [words: RegExp, change: (holder: Holder, key: string, words: string[], object: Holder) => void][] = [
  [/^remove it/, (holder, key) => delete holder[key]],
  [
    /^write (\w+): (\S+) in (\S+)$/,
    (_holder, _key, [, name, value, place], object) => (holderOf(object, place!.split('.'))![name!] = value),
  ],
  [/^write (\w+): (\S+?)(,|$)/, (holder, key, [, name, value]) => (holder[key === name ? key : name!] = parse(value!))],
  [/^write true or false/, (holder, key) => (holder[key] = true)],
  [/^write a list/, (holder, key) => (holder[key] = [])],
  [/^write (\S+?)(,| or | for |: | without|$)/, (holder, key, [, value]) => (holder[key] = parse(value!))],
  [/^put quotes around it: (".*")$/, (holder, key, [, value]) => (holder[key] = JSON.parse(value!))],
  [/^give a quantity such as ([\w.]+)/, (holder, key, [, value]) => (holder[key] = value)],
  [/^give one of ([^,]+)/, (holder, key, [, value]) => (holder[key] = value)],
  [/^give .*\bat least (\d\w*)/, (holder, key, [, value]) => (holder[key] = parse(value!))],
  [/^give .*\bport from (\d+)/, (holder, key, [, value]) => (holder[key] = Number(value))],
  [/^give .*\bsuch as ([\w.]+)/, (holder, key, [, value]) => (holder[key] = parse(value!))],
  [/^give each entry another/, (holder, key) => (holder[key] = `${holder[key]}-2`)],
]

const holderOf = (object: object, keys: string[]) =>
  keys.reduce<Holder | undefined>((inner, part) => inner?.[part] as Holder | undefined, object as Holder)

/** Applies a remedy to the object at a path of keys. Returns false if the remedy only describes what to do. */
function applyRemedy(object: object, { path, what, remedy }: Problem): boolean {
  const keys = path.match(/[^.[\]]+/g) ?? []
  const key = keys.pop()
  const holder = holderOf(object, keys)
  if (key === undefined || holder === undefined || /\[[^\]]*[./ ]/.test(path)) return false
  for (const [pattern, change] of changes) {
    const words = pattern.exec(remedy)
    if (words === null) continue
    if (/^(is an unknown (field|resource)|names no page size)$/.test(what) && words[1] !== undefined) {
      holder[words[1]] = holder[key]
      delete holder[key]
    } else change(holder, key, words, object as Holder)
    return true
  }
  return false
}

const problemsOf = (object: object, version = '1.33') =>
  readManifest(JSON.stringify(object), makeKubelet({ version, settings: [] })).problems

test('a problem is gone after its remedy', () => {
  let applied = 0
  const useless: string[] = []
  for (const [kind, path, value, , , version] of brokenObjects) {
    if (path.includes("['")) continue
    const broken = changed(kind, path, value)
    for (const problem of problemsOf(broken, version)) {
      const object = structuredClone(broken)
      if (!applyRemedy(object, problem)) continue
      applied++
      const { path: at, what, remedy } = problem
      if (problemsOf(object, version).some((one) => one.path === at && one.what === what))
        useless.push(`${kind} ${at} ${what}: ${remedy}`)
    }
  }
  expect(useless).toEqual([])
  expect(applied).toBeGreaterThan(90)
})
