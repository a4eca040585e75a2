// SPDX-License-Identifier: Apache-2.0
// Attempts on other processes: one of the host by the number that it has there, and PID 1 of the container, which is hutch's.
import type { Attempt } from './attempt.ts'

const onVictim = (words: string) => ({ outside: words })

export const processes: Attempt[] = [
  { what: 'PID 1 traced', words: 'ptrace 1', control: onVictim('ptrace $victim') },
  { what: 'a process of the host traced', words: 'ptrace $victim', control: 'outside' },
  { what: 'a signal to a process of the host', words: 'kill $victim', control: 'outside' },
  {
    what: 'the memory of PID 1 written (process_vm_writev)',
    words: 'write-memory 1',
    control: onVictim('write-memory $victim'),
  },
  { what: 'the memory of a process of the host written', words: 'write-memory $victim', control: 'outside' },
  { what: '/proc/1/mem', words: 'read-memory 1', control: onVictim('read-memory $victim') },
  { what: '/proc/PID/mem of a process of the host', words: 'read-memory $victim', control: 'outside' },
  { what: 'descriptors compared with PID 1 (kcmp)', words: 'compare 1', control: onVictim('compare $victim') },
  {
    what: 'a descriptor of PID 1 (pidfd_getfd)',
    words: 'take-descriptor 1',
    control: onVictim('take-descriptor $victim'),
  },
  { what: 'a descriptor of a process of the host', words: 'take-descriptor $victim', control: 'outside' },
  { what: 'limits of a process of the host (prlimit)', words: 'limits $victim', control: 'outside' },
  { what: 'the priority of a process of the host', words: 'other-nice $victim', control: 'outside' },
  { what: 'the root of a process of the host', words: 'proc $victim root', control: 'outside' },
  { what: 'the descriptors of PID 1', words: 'proc 1 fd/0', control: onVictim('proc $victim fd/0') },
  { what: 'the root of PID 1', words: 'proc 1 root', control: onVictim('proc $victim root') },
  { what: 'the working directory of PID 1', words: 'proc 1 cwd', control: onVictim('proc $victim cwd') },
  {
    what: 'the program of PID 1 overwritten (CVE-2019-5736)',
    words: 'overwrite 1',
    control: onVictim('overwrite $victim'),
  },
]
