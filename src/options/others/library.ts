// SPDX-License-Identifier: Apache-2.0
// Finds what to use instead of an option that hutch does not know. Covers options of execa, child_process and
// dockerode, and options of hutch's other calls. Pure.

import { runOptionKeys } from '../table.ts'

/** Calls and objects of the library that take options. */
export type OptionPlace =
  | 'run'
  | 'start'
  | 'pool.run'
  | 'createPool'
  | 'limits'
  | 'Cgroup.create'
  | 'Cgroup.set'
  | 'Cgroup.remove'
  | 'Cgroup.events'
  | 'openSampler'
  | 'why'

/** Limits under the names of other libraries, in lower case. The value is the key in `limits`, and a note on what differs. */
export const foreignLimits: { readonly [word: string]: readonly [key: string, note?: string] } = {
  memory: ['memory'],
  mem: ['memory'],
  memorylimit: ['memory'],
  memorymax: ['memory'],
  memoryswap: ['swap', 'Docker counts memory and swap together, and hutch only swap'],
  memoryreservation: ['memoryLow'],
  memoryhigh: ['memoryHigh'],
  memorylow: ['memoryLow'],
  memorymin: ['memoryMin'],
  swap: ['swap'],
  oomgroup: ['oomGroup'],
  cpus: ['cpus'],
  cpu: ['cpus'],
  cpucount: ['cpus'],
  nanocpus: ['cpus', '1e9 is 1'],
  cpuquota: ['cpus', '50000 of 100000 is 0.5'],
  cpuperiod: ['cpus', '50000 of 100000 is 0.5'],
  cpushares: ['cpuWeight', '1024 shares are a weight of 100'],
  cpuweight: ['cpuWeight'],
  cpusetcpus: ['cpusetCpus'],
  cpusetmems: ['cpuset.mems'],
  memoryswappiness: ['memory.swappiness', 'only on cgroup v1'],
  pids: ['pids'],
  pidslimit: ['pids'],
  tasksmax: ['pids'],
  blkioweight: ['io.weight'],
  iomax: ['ioMax'],
  blkiodevicereadbps: ['ioMax', "'/dev/sda:rbps=1M'"],
  blkiodevicewritebps: ['ioMax', "'/dev/sda:wbps=1M'"],
  blkiodevicereadiops: ['ioMax', "'/dev/sda:riops=100'"],
  blkiodevicewriteiops: ['ioMax', "'/dev/sda:wiops=100'"],
}

/** Options of execa and child_process in lower case, with what to use instead in hutch. */
export const foreignWords: { readonly [word: string]: string } = {
  shell: "hutch uses no shell: give run('sh', ['-c', 'a | b'])",
  preferlocal: "add the directory to PATH: env: { PATH: './node_modules/.bin:…' }",
  localdir: "add the directory to PATH: env: { PATH: './node_modules/.bin:…' }",
  node: 'give the command as process.execPath',
  nodeoptions: 'give the options of Node as arguments of process.execPath',
  nodepath: 'give the command as process.execPath',
  execpath: 'give the command as process.execPath',
  execargv: 'give the options of Node as arguments of process.execPath',
  argv0: "hutch does not change the name of a program: use run('sh', ['-c', 'exec -a NAME PROGRAM'])",
  inputfile: "give stdio: [{ file: 'PATH' }]",
  stdin: 'give input, or the first of stdio',
  stdout: 'give the second of stdio',
  stderr: 'give the third of stdio',
  silent: "give stdio: 'pipe'",
  buffer: "use start, which does not collect output; encoding: 'buffer' returns bytes",
  cancelsignal: 'give signal',
  abortsignal: 'give signal',
  gracefulcancel: 'give signal, and killAfter for the time from SIGTERM to SIGKILL',
  forcekillafterdelay: 'give killAfter',
  forcekillaftertimeout: 'give killAfter',
  killsignal: 'give killSignal',
  detached: 'leave it out: a job is in its own session, and ends with this process; use systemd for a service',
  cleanup: 'leave it out: a job always ends with this process',
  ipc: 'give a pipe: write messages to job.stdin, and read them from job.stdout',
  ipcinput: 'give input',
  serialization: 'give input, and parse stdout',
  verbose: 'use onEvent, and print verdict of the result',
  uid: "give user: '1000', or user: '1000:1000' with a group",
  gid: "give group: '1000'",
  username: 'give user',
  windowshide: 'leave it out: hutch runs on Linux',
  windowsverbatimarguments: 'leave it out: hutch runs on Linux',
  // from here: options of hutch in other spellings
  envextend: 'give extendEnv',
  workingdirectory: 'give cwd',
  maxoutputsize: 'give maxOutput',
  // dockerode
  image: 'hutch has no images: give rootfs, a directory that is / inside',
  cmd: 'give the command and its arguments as arguments of the call',
  entrypoint: 'give the command and its arguments as arguments of the call',
  workingdir: 'give cwd',
  tty: "give stdio: 'inherit': the job uses the terminal of this process",
  openstdin: "give input, or stdio: 'pipe'",
  stdinonce: "give input, or stdio: 'pipe'",
  attachstdin: 'give the first of stdio',
  attachstdout: 'give the second of stdio',
  attachstderr: 'give the third of stdio',
  exposedports: "give publish: ['8080:80']",
  portbindings: "give publish: ['8080:80']",
  publishallports: "give publish: ['8080:80'], a port each",
  labels: 'leave it out: a job has no labels, because nothing finds it later',
  name: 'leave it out: a job has no name; pid and cgroup.path of the result say which it is',
  stoptimeout: 'give killAfter, in milliseconds',
  networkdisabled: "give network: 'none'",
  networkmode: "give network: 'none', 'host' or 'private'",
  networkingconfig: "give network: 'cni:NAME'",
  macaddress: "give network: 'cni:NAME', and configure the address there",
  volumes: "give mounts: [{ volume: 'SOURCE:TARGET' }]",
  binds: "give mounts: [{ volume: 'SOURCE:TARGET' }]",
  volumesfrom: "give mounts: [{ volume: 'SOURCE:TARGET' }]",
  tmpfs: "give mounts: [{ tmpfs: '/tmp:size=64M' }]",
  shmsize: "give mounts: [{ tmpfs: '/dev/shm:size=64M' }]",
  readonlyrootfs: 'give readOnly',
  hostconfig: 'give its fields as options of their own, such as limits and mounts',
  healthcheck: 'leave it out: use a service manager',
  restartpolicy: 'leave it out: use a service manager, or call run again',
  autoremove: 'leave it out: hutch always removes what a job leaves',
  logconfig: 'give a file in stdio',
  oomkilldisable: 'leave it out: the job would hang; give limits.memoryHigh',
  oomscoreadj: 'give oomScoreAdj',
  extrahosts: "give addHosts: ['NAME:IP']",
  privileged: "give capAdd: ['ALL'], or no sandbox",
  securityopt: 'give seccomp; no_new_privs is always set',
  pidmode: 'leave pid out of isolate',
  ipcmode: 'leave ipc out of isolate',
  utsmode: 'leave uts out of isolate',
  usernsmode: 'leave user out of isolate',
  cgroupnsmode: 'leave cgroup out of isolate',
  cgroupparent: 'give parent',
  devicerequests: "give devices: ['/dev/nvidia0']",
  devicecgrouprules: "give devices: ['/dev/null:rwm']",
  maskedpaths: 'give unmask for the paths that are not masked',
  readonlypaths: 'give unmask for the paths that can be written',
  runtime: 'leave it out: hutch is the runtime',
  platform: 'leave it out: hutch runs programs of this host',
  storageopt: "give mounts: [{ tmpfs: '/data:size=64M' }]",
  isolation: 'give isolate, or sandbox: true',
}

/** The options of the library in lower case, for a word of dockerode that differs from one only in case. */
const sameWords = new Map(runOptionKeys.map((word): [string, string] => [word.toLowerCase(), word]))

const collected = ['lines', 'stripfinalnewline', 'maxbuffer']
const perJob = ['input', 'stdio', 'encoding', 'all', 'reject', 'signal', 'onevent', ...collected]
const perOrder = ['limits', 'timeout', 'cputime', 'maxoutput', 'env', 'workdir', 'cwd']

/** Returns what to use instead of an unknown option. Returns undefined if no known library has such an option. */
export function findInstead(place: OptionPlace, word: string): string | undefined {
  const name = word.toLowerCase().replace(/[_-]/g, '')
  if (place === 'limits') return ofLimits(name)
  if (place === 'openSampler')
    return 'leave it out: openSampler always samples all groups; call sample() again after the interval'
  if (place === 'why') return 'give a process id, the path or name of a group, or a result of run'
  if (place.startsWith('Cgroup.')) return ofGroup(place, word, name)
  const limit = limitOf(name)
  if (limit || /^[a-z0-9_]+\.[a-z]/.test(word)) return `give it in limits: ${limitIn(limit ?? [word])}`
  if (place === 'start' && collected.includes(name))
    return 'use run: start does not collect output; read job.stdout, or the lines of `for await`'
  if (place === 'createPool' && perJob.includes(name)) return 'give it to pool.run: it belongs to one job'
  if (place !== 'createPool' && (name === 'size' || name === 'plan')) return 'give it to createPool'
  const same = sameWords.get(name)
  if (same !== undefined && place === 'pool.run' && !perOrder.includes(name))
    return `give ${same} to createPool: its sandboxes are created before the job`
  return wordOf(name) ?? (same !== undefined && same !== word ? `give ${same}` : undefined)
}

function limitOf(name: string): readonly [key: string, note?: string] | undefined {
  return Object.hasOwn(foreignLimits, name) ? foreignLimits[name] : undefined
}

function wordOf(name: string): string | undefined {
  return Object.hasOwn(foreignWords, name) ? foreignWords[name] : undefined
}

function limitIn([key, note]: readonly [string, string?]): string {
  return `limits: { ${key.includes('.') ? `'${key}'` : key}: … }${note === undefined ? '' : `; ${note}`}`
}

function ofLimits(name: string): string | undefined {
  const limit = limitOf(name)
  if (limit)
    return `give ${limit[0].includes('.') ? `'${limit[0]}'` : limit[0]}${limit[1] === undefined ? '' : `; ${limit[1]}`}`
  if (['timeout', 'cputime', 'maxoutput', 'maxbuffer', 'ulimits'].includes(name)) return 'give it beside limits'
  return undefined
}

/**
 * Returns what to use instead of an unknown option of the class Cgroup. A group has limits and controllers, but starts
 * no processes.
 */
function ofGroup(place: OptionPlace, word: string, name: string): string | undefined {
  const limit = limitOf(name)
  if (place === 'Cgroup.create') {
    if (limit) return `give it in limits: ${limitIn(limit)}`
    if (word.includes('.')) return `give it in files: { '${word}': … }`
    if (name === 'existok' || name === 'exists') return 'give mayExist'
    if (name === 'name' || name === 'path') return "give it as the first argument: Cgroup.create('NAME', options)"
    if (wordOf(name) !== undefined || sameWords.has(name) || perJob.includes(name))
      return 'give it to run or start: a group starts no command'
  }
  if (place === 'Cgroup.set' && (limit || word.includes('.')))
    return 'give files and limits one by one or as the first argument: set({ memory: "64M" })'
  return undefined
}
