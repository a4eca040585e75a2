// SPDX-License-Identifier: Apache-2.0
// Each property of the OCI runtime specification: a container shows that it works, or hutch refuses it and says why.
// HUTCH_OCI_RUNTIME names another runtime, such as runc.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { configShape, readConfig } from '../../../src/oci/config/read-config.ts'
import type { Shape } from '../../../src/oci/config/shape.ts'
import { toSpec } from '../../../src/oci/config/to-spec.ts'
import { hutchCommand } from '../../support/command.ts'
import { makeImage, workplace } from '../../support/image.ts'
import { minimal } from '../config-documents.ts'
import { baseDocument, namesOf, type Runs, rows } from './rows.ts'

function propertiesOf(shape: Shape<unknown>, at = ''): string[] {
  if (shape.each) return propertiesOf(shape.each, at)
  return Object.entries(shape.properties ?? {}).flatMap(([name, part]) => {
    const path = at === '' ? name : `${at}.${name}`
    return [path, ...propertiesOf(part, path)]
  })
}

test('each property has a row, and each row has properties of the specification', () => {
  const covered = new Set(rows.flatMap(({ properties }) => namesOf(properties)))
  expect([...covered].toSorted()).toEqual([...new Set(propertiesOf(configShape))].toSorted())
})

describe('refused, as this host lacks it or the specification does not define it', () => {
  const facts = {
    id: 'a',
    bundle: '/b',
    kernel: [6, 1] as const,
    hasAppArmor: false,
    hasSelinux: false,
    hasResctrl: false,
    groups: [],
    streams: { kept: 0 },
  }
  for (const row of rows)
    if ('refused' in row)
      test(row.properties, () => {
        expect(() => toSpec(readConfig(JSON.stringify(minimal(row.changes))), facts)).toThrow(row.refused)
      })
})

describe('tried by another test', () => {
  for (const row of rows)
    if ('tested' in row)
      test(`${row.properties}: ${row.because}`, () => {
        const text = readFileSync(row.tested, 'utf8')
        const called = text.split('\n').filter((line) => line.includes(`('${row.titled}'`))
        expect(called).toEqual([expect.stringMatching(/^(test|describe)\b/)])
        if (!called[0]!.startsWith('describe')) return
        const words = namesOf(row.properties).map((name) => name.split('.').at(-1)!)
        expect(words.filter((word) => !text.includes(word))).toEqual([])
      })
})

const named = process.env.HUTCH_OCI_RUNTIME
const [runtime = 'true', ...globals] = named?.split(' ') ?? [...hutchCommand, 'oci']

describe(`containers of ${named ?? 'hutch'}`, () => {
  const { path, remove } = workplace()
  chmodSync(path, 0o755)
  afterAll(remove)
  const { stdout: versions } = spawnSync(runtime, [...globals, '--version'], { encoding: 'utf8' })
  const version = /^spec: (1\.\d+)/m.exec(versions)
  let last = 0

  /** Runs a container of its own in a new bundle, and returns what it and its hooks have printed. */
  function printed({ changes, program }: Runs): string {
    const id = `hutch-conformance-${process.pid}-${last++}`
    const bundle = `${path}/${id}`
    const image = makeImage(`${bundle}/image`)
    for (const tool of ['hostname', 'sleep', 'stat', 'tr', 'head', 'wc', 'uname'])
      symlinkSync('busybox', `${image}/bin/${tool}`)
    writeFileSync(`${image}/data/marker`, 'image\n')
    mkdirSync(`${bundle}/from`)
    writeFileSync(`${bundle}/from/file`, 'bundle\n')
    writeFileSync(`${bundle}/log`, '')
    const document = minimal({
      ...baseDocument(image),
      'linux.cgroupsPath': `/${id}`,
      'process.args': ['sh', '-c', program],
      ...changes,
    })
    const text = JSON.stringify(document)
      .replaceAll('@LOG@', `${bundle}/log`)
      .replaceAll('@NET@', `/proc/${process.pid}/ns/net`)
      .replaceAll('@GROUP@', `/${id}`)
    writeFileSync(`${bundle}/config.json`, text)
    const words = [...globals, '--root', `${path}/state`, 'run', '--bundle', bundle, id]
    const { stdout, stderr } = spawnSync(runtime, words, { encoding: 'utf8', input: '', timeout: 30_000 })
    // a run that failed half-way can leave its groups
    spawnSync(runtime, [...globals, '--root', `${path}/state`, 'delete', '--force', id], { timeout: 30_000 })
    return `${stdout}${readFileSync(`${bundle}/log`, 'utf8')}${stderr}`.trimEnd()
  }

  const isMissing = ({ since, runc }: Runs) =>
    (since !== undefined && version !== null && since > version[1]!) || (runc !== undefined && runtime.endsWith('runc'))

  for (const row of rows)
    if ('program' in row)
      test.skipIf(isMissing(row))(row.properties, () => {
        const output = printed(row)
        if (typeof row.prints === 'string') expect(output).toBe(row.prints)
        else expect(output).toMatch(row.prints)
      })
})
