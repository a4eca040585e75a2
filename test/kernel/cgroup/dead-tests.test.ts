// SPDX-License-Identifier: Apache-2.0
// What a run of tests leaves when it is killed: the next run removes its groups, also of named hierarchies, and its directories.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { beforeEach, expect, test } from 'vitest'
import { removeDirectory } from '../../../src/cgroup/files.ts'
import { parseNamedHierarchies } from '../../../src/host/hierarchy.ts'
import { readHost, readMembership } from '../../../src/host/host.ts'
import { requires } from '../../support/requires.ts'
import { setup } from '../../support/test-groups.ts'

beforeEach((context) => requires(context, 'root'))

test('the next run removes old groups and directories of a test that is gone, and no others', () => {
  const { unified, v1 } = readHost()
  const named = parseNamedHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), readMembership('self'))
  const hierarchies = [...(unified ? [unified] : []), ...Object.values(v1), ...named.values()]
  const places = [...new Set([tmpdir(), ...hierarchies.map(({ own }) => own)])]
  const gone = spawnSync('true').pid
  const paths = (pid: number, name: string) => places.map((place) => `${place}/hutch-test-${pid}-${name}`)
  const old = paths(gone, 'old')
  const kept = [...paths(gone, 'new'), ...paths(process.pid, 'own')]
  try {
    for (const path of [...old, ...kept]) mkdirSync(path)
    for (const path of [...old, ...paths(process.pid, 'own')]) utimesSync(path, 0, 0)
    for (const path of old) mkdirSync(`${path}/below`)
    for (const path of old) utimesSync(path, 0, 0)
    setup()
    expect(old.filter((path) => existsSync(path))).toEqual([])
    expect(kept.filter((path) => !existsSync(path))).toEqual([])
  } finally {
    const isGroup = (path: string) => !path.startsWith(`${tmpdir()}/`)
    for (const path of [...old.map((path) => `${path}/below`), ...old, ...kept])
      if (isGroup(path)) removeDirectory(path)
      else rmSync(path, { recursive: true, force: true })
  }
})
