// SPDX-License-Identifier: Apache-2.0
// Unknown options: words of execa, child_process and dockerode are answered with hutch's option, at each place that takes options.
import { assert, constantFrom, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { callKeys, libraryRows, ownKeys } from '../../../src/options/library.ts'
import { findInstead, foreignLimits, foreignWords, type OptionPlace } from '../../../src/options/others/library.ts'
import { limitRowOf, runOptionKeys } from '../../../src/options/table.ts'
import { refuseUnknown } from '../../../src/options/unknown-option.ts'

const knownAt: { [place in 'run' | 'start' | 'pool.run' | 'createPool']: readonly string[] } = {
  run: callKeys('run'),
  start: callKeys('start'),
  'pool.run': ['limits', 'timeout', 'cpuTime', 'maxOutput', 'env', 'workdir', 'cwd', ...ownKeys('pool.run')],
  createPool: ['size', 'plan', ...runOptionKeys],
}
const remedyOf = (place: OptionPlace, word: string, known: readonly string[]): string | undefined => {
  try {
    refuseUnknown({ [word]: 1 }, known, '', 'option', place)
    return undefined
  } catch (error) {
    return (error as { remedy: string }).remedy
  }
}

/** The words that the documentation of each library has for its options. */
const words = {
  execa: `preferLocal localDir node nodeOptions nodePath shell cwd env extendEnv input inputFile stdin stdout stderr stdio buffer all
    lines stripFinalNewline maxBuffer encoding ipc serialization ipcInput verbose reject timeout cancelSignal gracefulCancel
    forceKillAfterDelay killSignal detached cleanup uid gid argv0 windowsVerbatimArguments windowsHide`,
  child_process: `cwd input argv0 stdio env uid gid timeout killSignal maxBuffer encoding shell windowsHide detached signal serialization
    windowsVerbatimArguments execPath execArgv silent`,
  dockerode: `Image Cmd Entrypoint Env WorkingDir User Hostname Domainname Tty OpenStdin StdinOnce AttachStdin AttachStdout AttachStderr
    ExposedPorts Labels StopSignal StopTimeout NetworkDisabled MacAddress Volumes Healthcheck HostConfig NetworkingConfig name platform
    Memory MemorySwap MemoryReservation MemorySwappiness NanoCpus CpuShares CpuPeriod CpuQuota CpusetCpus CpusetMems PidsLimit
    BlkioWeight BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps OomKillDisable OomScoreAdj Ulimits Binds
    Mounts Tmpfs ReadonlyRootfs NetworkMode PortBindings PublishAllPorts Dns DnsOptions DnsSearch ExtraHosts GroupAdd CapAdd CapDrop
    Privileged SecurityOpt Sysctls ShmSize PidMode IpcMode UTSMode UsernsMode CgroupnsMode CgroupParent Devices DeviceRequests
    DeviceCgroupRules Init AutoRemove RestartPolicy LogConfig Runtime VolumesFrom MaskedPaths ReadonlyPaths StorageOpt Isolation`,
}
const places = Object.keys(knownAt) as (keyof typeof knownAt)[]

test.each(Object.entries(words))('each option of %s is known, or answered with what does the same', (_, list) => {
  const silent = list.split(/\s+/).flatMap((word) =>
    places.flatMap((place) => {
      const known = knownAt[place]
      if (known.includes(word)) return []
      const remedy = remedyOf(place, word, known)
      return remedy === undefined || /^(known options|did you mean)/.test(remedy)
        ? [`${place}: ${word}: ${remedy}`]
        : []
    }),
  )
  expect(silent).toEqual([])
})

test('an option of another call names that call', () => {
  expect(remedyOf('start', 'lines', knownAt.start)).toContain('use run')
  expect(remedyOf('pool.run', 'mounts', knownAt['pool.run'])).toContain('createPool')
  expect(remedyOf('createPool', 'input', knownAt.createPool)).toContain('pool.run')
  expect(remedyOf('run', 'size', knownAt.run)).toContain('createPool')
  expect(remedyOf('run', 'memory', knownAt.run)).toContain('limits: { memory')
  expect(remedyOf('run', 'memory.high', knownAt.run)).toContain("limits: { 'memory.high'")
  expect(remedyOf('Cgroup.create', 'memory', [])).toContain('limits: { memory')
  for (const key of runOptionKeys)
    if (!knownAt['pool.run'].includes(key))
      expect([key, remedyOf('pool.run', key, knownAt['pool.run'])]).toEqual([
        key,
        expect.stringContaining('createPool'),
      ])
})

test('what an answer names is an option of hutch', () => {
  const known = new Set<string>([...runOptionKeys, ...libraryRows.map(({ key }) => key)])
  const wrong = Object.values(foreignWords).flatMap((text) =>
    [...text.matchAll(/\bgive (?:no )?(\w+)(?:\.\w+)?(?:[:,;]|$| for| with)/g)]
      .map(([, name]) => name!)
      .filter((name) => !known.has(name)),
  )
  expect(wrong).toEqual([])
  for (const [key] of Object.values(foreignLimits)) expect(key.includes('.') || key in limitRowOf).toBe(true)
})

test('other words are answered with the nearest option or with all', () => {
  assert(
    property(string({ minLength: 1 }), constantFrom(...places), (word, place) => {
      const remedy = remedyOf(place, word, knownAt[place])
      expect(remedy === undefined).toBe(knownAt[place].includes(word))
      expect(remedy).not.toBe('')
    }),
  )
  expect(findInstead('run', 'constructor')).toBe(undefined)
  expect(findInstead('limits', '__proto__')).toBe(undefined)
})
