// SPDX-License-Identifier: Apache-2.0
// Options of other tools on a command line of hutch run: the words that they become, and the errors of those that have no equivalent.
import { expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import { accepted } from '../../../src/options/others/accepted.ts'
import { otherTools } from '../../../src/options/others/table.ts'
import { translateOptions } from '../../../src/options/others/translate.ts'
import { optionRows } from '../../../src/options/table.ts'

const reads = { readText: () => '# comment\nA=1\n\n  B=x y\r\nC\n' }
const translate = (line: string | readonly string[]) =>
  translateOptions(typeof line === 'string' ? line.split(' ') : line, reads, new Map())

test.for([
  ['-it --rm true', 'true'],
  ['-itm 5M true', '-m 5M true'],
  ['-v /a:/b true', '--volume /a:/b true'],
  ['-v ./a:/b:ro true', '--volume ./a:/b:ro true'],
  ['-v .:/b true', '--volume .:/b true'],
  ['-v true', '-v true'],
  ['-v /bin/ls -l', '-v /bin/ls -l'],
  ['--net host true', '--network host true'],
  ['--net=bridge true', '--network private true'],
  ['--pids-limit 9 true', '--pids 9 true'],
  ['--pids-limit=-1 true', '--pids max true'],
  ['-m 100M --memory-swap 150M true', '-m 100M --swap 52428800 true'],
  ['--memory-swap=100M --memory=100M true', '--swap 0 --memory=100M true'],
  ['--memory-swap -1 true', '--swap max true'],
  ['--memory-reservation 5M true', '--memory-low 5M true'],
  ['--cpu-shares 1024 true', '--cpu-weight 100 true'],
  ['-c 1024 true', '--cpu-weight 100 true'],
  ['--cpu-quota 50000 true', '--limit|cpu.max=50000 100000|true'],
  ['--cpu-quota 50000 --cpu-period 200000 true', '--limit|cpu.max=50000 200000|true'],
  ['--device-read-bps /dev/sda:1M true', '--io-max /dev/sda:rbps=1M true'],
  ['--shm-size 64M true', '--tmpfs /dev/shm:size=64M,mode=1777 true'],
  ['--mount type=bind,src=/a,dst=/b,readonly true', '--volume /a:/b:ro true'],
  ['--mount type=bind,source=/a:c,target=/b true', '--volume /a\\:c:/b true'],
  ['--mount type=tmpfs,target=/t,tmpfs-size=1M true', '--tmpfs /t:size=1M true'],
  ['--env-file f true', '--env|A=1|--env|B=x y|--env|C|true'],
  ['--entrypoint sh -- -c true', '-- sh -c true'],
  ['--entrypoint=sh -m 5M x', '-m 5M -- sh x'],
  ['--security-opt no-new-privileges true', 'true'],
  ['--security-opt seccomp=unconfined true', '--seccomp none true'],
  ['--security-opt=seccomp=p.json true', '--seccomp p.json true'],
  ['--stop-timeout 3 true', '--kill-after 3s true'],
  ['--property MemoryMax=50M --property=CPUQuota=50% true', '--memory 50M --cpus 0.5 true'],
  ['--setenv=A=1 --uid 5 true', '--env A=1 --user 5 true'],
  ['--setenv A 1 --bind /a /b --chdir /b true', '--env A=1 --volume /a:/b --workdir /b true'],
  ['--cg-mem 1024 --time 2 --wall-time=4 true', '--memory 1024K --cpu-time 2s --timeout 4s true'],
  ['--rlimit_as 100 --bindmount_ro /a:/b true', '--ulimit as=104857600 --volume /a:/b:ro true'],
  ['true --rm -it', 'true --rm -it'],
  ['--rm -- --rm', '-- --rm'],
] as const)('%s becomes %s', ([line, words]) => {
  expect(translate(line)).toEqual(words.split(words.includes('|') ? '|' : ' '))
})

test.for([
  ['-h web true', '-h', '--hostname web'],
  ['-d true', '-d', 'systemd'],
  ['--name x true', '--name', '--report FILE'],
  ['--memory-swap 5M true', '--memory-swap', '--swap SIZE'],
  ['--memory 9M --memory-swap 5M true', '--memory-swap', '--swap SIZE'],
  ['--mount type=volume,source=v,target=/v true', '--mount', 'type=bind'],
  ['--mount type=bind,target=/v true', '--mount', 'type=bind'],
  ['--security-opt apparmor=x true', '--security-opt', 'seccomp=FILE'],
  ['--privileged true', '--privileged', '--cap-add ALL'],
  ['--pid host true', '--pid', '--isolate'],
  ['--unshare-net true', '--unshare-net', '--isolate'],
  ['--mem 5M true', '--mem', '--memory'],
  ['--memroy 5M true', '--memroy', '--memory'],
  ['--property Foo=1 true', '--property', 'MemoryMax'],
  ['--net', '--net', '--net VALUE'],
  ['--zzzzzzzz true', '--zzzzzzzz', '--help=all'],
] as const)('%s is refused, and the error says what to use', ([line, name, remedy]) => {
  let error: unknown
  try {
    translate(line)
  } catch (thrown) {
    error = thrown
  }
  expect(HutchError.is(error) && error.message).toContain(name)
  expect(HutchError.is(error) && error.remedy).toContain(remedy)
})

test('an option of hutch is never taken for one of another tool', () => {
  const own = optionRows.flatMap(({ flag, short }) => [`--${flag}`, ...(short ? [`-${short}`] : [])])
  expect(own.filter((name) => Object.hasOwn(accepted, name))).toEqual([])
})

test('each accepted option stands in the table of a tool', () => {
  const all = Object.values(otherTools)
    .flat()
    .map(([options]) => options)
    .join(' ')
  const shorts = ['-i', '-t', '-a', '-c']
  const missing = Object.keys(accepted).filter((name) => {
    const kin = name.replace(/^--rlimit_.*/, '--rlimit_').replace(/(-|write-|read-)(iops|bps)$/, '')
    return !shorts.includes(name) && !all.includes(kin)
  })
  expect(missing).toEqual([])
})

test('each option of hutch that the tables name exists', () => {
  const flags = new Set(optionRows.map(({ flag }) => flag))
  const named = Object.values(otherTools)
    .flat()
    .flatMap(([, hutch]) => [...hutch.matchAll(/--([a-z-]+)/g)].map(([, name]) => name!))
  expect(named.filter((name) => !flags.has(name) && name !== 'help')).toEqual([])
})
