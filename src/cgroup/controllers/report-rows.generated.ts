// SPDX-License-Identifier: Apache-2.0
// Generated from the tables of figures and files (npx vitest run test/docs -u): what is read for the report of a run.
import type { EndFiles } from './entry.ts'
import type { ReportRow } from './figure.ts'

export const reportRows: readonly ReportRow[] = [
  {
    name: 'cpuUsec',
    kind: 'count',
    controller: '',
    v2: { file: 'cpu.stat', key: 'usage_usec' },
    v1: { file: 'cpuacct.usage', per: 1000 },
  },
  {
    name: 'userUsec',
    kind: 'count',
    controller: '',
    v2: { file: 'cpu.stat', key: 'user_usec' },
    v1: { file: 'cpuacct.usage_user', per: 1000 },
  },
  {
    name: 'systemUsec',
    kind: 'count',
    controller: '',
    v2: { file: 'cpu.stat', key: 'system_usec' },
    v1: { file: 'cpuacct.usage_sys', per: 1000 },
  },
  {
    name: 'periods',
    kind: 'count',
    controller: 'cpu',
    v2: { file: 'cpu.stat', key: 'nr_periods' },
    v1: { file: 'cpu.stat', key: 'nr_periods' },
  },
  {
    name: 'throttledPeriods',
    kind: 'count',
    controller: 'cpu',
    v2: { file: 'cpu.stat', key: 'nr_throttled' },
    v1: { file: 'cpu.stat', key: 'nr_throttled' },
  },
  {
    name: 'throttledUsec',
    kind: 'count',
    controller: 'cpu',
    v2: { file: 'cpu.stat', key: 'throttled_usec' },
    v1: { file: 'cpu.stat', key: 'throttled_time', per: 1000 },
  },
  {
    name: 'memoryCurrent',
    kind: 'count',
    live: true,
    controller: 'memory',
    v2: { file: 'memory.current' },
    v1: { file: 'memory.usage_in_bytes' },
  },
  {
    name: 'memoryPeak',
    kind: 'count',
    controller: 'memory',
    v2: { file: 'memory.peak' },
    v1: { file: 'memory.max_usage_in_bytes' },
  },
  {
    name: 'memoryLimitHits',
    kind: 'count',
    controller: 'memory',
    v2: { file: 'memory.events.local', key: 'max' },
    v1: { file: 'memory.failcnt' },
  },
  { name: 'swapPeak', kind: 'count', since: 2, controller: 'memory', v2: { file: 'memory.swap.peak' } },
  {
    name: 'oomKills',
    kind: 'count',
    controller: 'memory',
    v2: { file: 'memory.events', key: 'oom_kill' },
    v1: { file: 'memory.oom_control', key: 'oom_kill' },
  },
  {
    name: 'pidsCurrent',
    kind: 'count',
    live: true,
    controller: 'pids',
    v2: { file: 'pids.current' },
    v1: { file: 'pids.current' },
  },
  { name: 'pidsPeak', kind: 'count', controller: 'pids', v2: { file: 'pids.peak' }, v1: { file: 'pids.peak' } },
  {
    name: 'pidsDenied',
    kind: 'count',
    controller: 'pids',
    v2: { file: 'pids.events', key: 'max' },
    v1: { file: 'pids.events', key: 'max' },
  },
  { name: 'io', kind: 'devices', controller: 'io', v2: { file: 'io.stat' } },
  { name: 'pressure', kind: 'stalls', controller: '', v2: { file: 'cpu.pressure' } },
  { name: 'pressure', kind: 'stalls', controller: '', v2: { file: 'memory.pressure' } },
  { name: 'pressure', kind: 'stalls', controller: '', v2: { file: 'io.pressure' } },
]

export const endFiles: EndFiles = {
  v2: {
    'cpu.max': false,
    'cpuset.cpus': false,
    'io.max': false,
    'memory.high': false,
    'memory.max': true,
    'memory.stat': true,
    'pids.max': true,
  },
  v1: {
    'cpu.cfs_quota_us': false,
    'cpu.cfs_period_us': false,
    'cpuset.cpus': false,
    'memory.limit_in_bytes': true,
    'memory.stat': true,
    'memory.memsw.limit_in_bytes': false,
    'pids.max': true,
  },
}
