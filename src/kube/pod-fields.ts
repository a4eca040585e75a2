// SPDX-License-Identifier: Apache-2.0
// Lists the fields of pods and containers: API reference v1, PodSpec. Pure.
import {
  acceptWords,
  allRules,
  dependsOn,
  exactlyOne,
  expression,
  type FieldType,
  rule,
  selector,
  texts,
} from './field-types.ts'
import { volume } from './volume-fields.ts'

const resources = {
  limits: { map: 'quantity' },
  requests: { map: 'quantity' },
  claims: [{ 'name!': 'string', request: 'string' }],
} as const satisfies FieldType

const handler = {
  exec: { command: 'texts' },
  httpGet: {
    path: 'string',
    'port!': 'port',
    host: 'string',
    scheme: acceptWords('HTTP', 'HTTPS'),
    httpHeaders: [{ 'name!': 'string', 'value!': 'string' }],
  },
  tcpSocket: { 'port!': 'port', host: 'string' },
} as const satisfies FieldType

const probe = {
  ...handler,
  grpc: { 'port!': 'portNumber', service: 'string' },
  initialDelaySeconds: 'count',
  timeoutSeconds: 'count',
  periodSeconds: 'count',
  successThreshold: 'count',
  failureThreshold: 'count',
  terminationGracePeriodSeconds: 'positive',
  [rule]: exactlyOne(['exec', 'httpGet', 'tcpSocket', 'grpc'], 'handlers', 'does not say how to probe'),
} as const satisfies FieldType

const lifecycle = {
  ...handler,
  sleep: { 'seconds!': 'count' },
  [rule]: exactlyOne(['exec', 'httpGet', 'tcpSocket', 'sleep'], 'handlers', 'does not say what to do'),
} as const satisfies FieldType

const keyRef = { 'name!': 'nonempty', 'key!': 'nonempty', optional: 'boolean' } as const satisfies FieldType

const profile = {
  'type!': acceptWords('RuntimeDefault', 'Unconfined', 'Localhost'),
  localhostProfile: 'string',
  [rule]: allRules(
    dependsOn('type', ['Localhost'], 'localhostProfile', 'needs'),
    dependsOn('type', ['RuntimeDefault', 'Unconfined'], 'localhostProfile', 'excludes'),
  ),
} as const satisfies FieldType

const seLinux = { user: 'string', role: 'string', type: 'string', level: 'string' } as const satisfies FieldType

const commonSecurity = {
  runAsUser: 'count',
  runAsGroup: 'count',
  runAsNonRoot: 'boolean',
  seLinuxOptions: seLinux,
  seccompProfile: profile,
  appArmorProfile: profile,
  windowsOptions: 'any',
} as const satisfies FieldType

const container = {
  'name!': 'string',
  'image!': 'string',
  imagePullPolicy: acceptWords('Always', 'IfNotPresent', 'Never'),
  command: 'texts',
  args: 'texts',
  workingDir: 'string',
  ports: [
    {
      'containerPort!': 'portNumber',
      name: 'string',
      protocol: acceptWords('TCP', 'UDP', 'SCTP'),
      hostPort: 'count',
      hostIP: 'string',
    },
  ],
  env: [
    {
      'name!': 'string',
      value: 'string',
      valueFrom: {
        configMapKeyRef: keyRef,
        secretKeyRef: keyRef,
        fieldRef: { 'fieldPath!': 'nonempty', apiVersion: 'string' },
        resourceFieldRef: { 'resource!': 'nonempty', containerName: 'string', divisor: 'quantity' },
        fileKeyRef: 'any',
        [rule]: exactlyOne(
          ['fieldRef', 'configMapKeyRef', 'secretKeyRef', 'resourceFieldRef', 'fileKeyRef'],
          'sources',
          'has no source',
        ),
      },
    },
  ],
  envFrom: [
    {
      prefix: 'string',
      configMapRef: { 'name!': 'nonempty', optional: 'boolean' },
      secretRef: { 'name!': 'nonempty', optional: 'boolean' },
      [rule]: exactlyOne(['configMapRef', 'secretRef'], 'sources', 'has no source'),
    },
  ],
  resources,
  resizePolicy: [
    {
      'resourceName!': acceptWords('cpu', 'memory'),
      'restartPolicy!': acceptWords('NotRequired', 'RestartContainer'),
    },
  ],
  restartPolicy: acceptWords('Always', 'OnFailure', 'Never'),
  restartPolicyRules: 'any',
  volumeMounts: [
    {
      'name!': 'string',
      'mountPath!': 'nonempty',
      subPath: 'string',
      subPathExpr: 'string',
      [rule]: dependsOn('subPath', 'any', 'subPathExpr', 'excludes'),
      readOnly: 'boolean',
      recursiveReadOnly: acceptWords('Disabled', 'IfPossible', 'Enabled'),
      mountPropagation: acceptWords('None', 'HostToContainer', 'Bidirectional'),
    },
  ],
  volumeDevices: [{ 'name!': 'string', 'devicePath!': 'string' }],
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: { postStart: lifecycle, preStop: lifecycle, stopSignal: 'string' },
  securityContext: {
    ...commonSecurity,
    allowPrivilegeEscalation: 'boolean',
    capabilities: { add: 'texts', drop: 'texts' },
    privileged: 'boolean',
    procMount: acceptWords('Default', 'Unmasked'),
    readOnlyRootFilesystem: 'boolean',
    cgroupOptions: 'any',
  },
  terminationMessagePath: 'string',
  terminationMessagePolicy: acceptWords('File', 'FallbackToLogsOnError'),
  stdin: 'boolean',
  stdinOnce: 'boolean',
  tty: 'boolean',
} as const satisfies FieldType

const term = {
  matchExpressions: [expression('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt')],
  matchFields: [expression('In', 'NotIn')],
} as const satisfies FieldType

const podTerm = {
  'topologyKey!': 'nonempty',
  labelSelector: selector,
  namespaceSelector: selector,
  namespaces: 'texts',
  matchLabelKeys: 'texts',
  mismatchLabelKeys: 'texts',
} as const satisfies FieldType

const podTerms = {
  requiredDuringSchedulingIgnoredDuringExecution: [podTerm],
  preferredDuringSchedulingIgnoredDuringExecution: [{ 'weight!': 'positive', 'podAffinityTerm!': podTerm }],
} as const satisfies FieldType

const affinity = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { 'nodeSelectorTerms!': [term] },
    preferredDuringSchedulingIgnoredDuringExecution: [{ 'weight!': 'positive', 'preference!': term }],
  },
  podAffinity: podTerms,
  podAntiAffinity: podTerms,
} as const satisfies FieldType

/** The fields of a pod, also of the template of a workload. */
export const podSpec = {
  'containers!': [container],
  initContainers: [container],
  ephemeralContainers: 'any',
  resources,
  overhead: { map: 'quantity' },
  restartPolicy: acceptWords('Always', 'OnFailure', 'Never'),
  terminationGracePeriodSeconds: 'count',
  activeDeadlineSeconds: 'positive',
  dnsPolicy: acceptWords('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
  dnsConfig: { nameservers: ['ip'], searches: 'texts', options: [{ name: 'string', value: 'string' }] },
  nodeSelector: texts,
  nodeName: 'subdomain',
  serviceAccountName: 'subdomain',
  serviceAccount: 'string',
  automountServiceAccountToken: 'boolean',
  hostNetwork: 'boolean',
  hostPID: 'boolean',
  hostIPC: 'boolean',
  hostUsers: 'boolean',
  hostname: 'label',
  hostnameOverride: 'string',
  subdomain: 'label',
  setHostnameAsFQDN: 'boolean',
  shareProcessNamespace: 'boolean',
  securityContext: {
    ...commonSecurity,
    fsGroup: 'count',
    fsGroupChangePolicy: acceptWords('Always', 'OnRootMismatch'),
    supplementalGroups: ['count'],
    supplementalGroupsPolicy: acceptWords('Merge', 'Strict'),
    seLinuxChangePolicy: acceptWords('Recursive', 'MountOption'),
    sysctls: [{ 'name!': 'string', 'value!': 'string' }],
  },
  imagePullSecrets: [{ name: 'string' }],
  affinity,
  schedulerName: 'string',
  schedulingGates: [{ 'name!': 'string' }],
  tolerations: [
    {
      key: 'string',
      operator: acceptWords('Exists', 'Equal', 'Lt', 'Gt'),
      value: 'string',
      effect: acceptWords('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
      tolerationSeconds: 'integer',
    },
  ],
  topologySpreadConstraints: [
    {
      'maxSkew!': 'positive',
      'topologyKey!': 'nonempty',
      'whenUnsatisfiable!': acceptWords('DoNotSchedule', 'ScheduleAnyway'),
      labelSelector: selector,
      minDomains: 'count',
      nodeAffinityPolicy: acceptWords('Honor', 'Ignore'),
      nodeTaintsPolicy: acceptWords('Honor', 'Ignore'),
      matchLabelKeys: 'texts',
    },
  ],
  hostAliases: [{ 'ip!': 'ip', hostnames: 'texts' }],
  priorityClassName: 'subdomain',
  priority: 'integer',
  preemptionPolicy: acceptWords('Never', 'PreemptLowerPriority'),
  runtimeClassName: 'subdomain',
  enableServiceLinks: 'boolean',
  readinessGates: [{ 'conditionType!': 'string' }],
  os: { 'name!': acceptWords('linux', 'windows') },
  resourceClaims: 'any',
  volumes: [volume],
  [rule]: dependsOn('hostPID', [true], 'shareProcessNamespace', 'excludes'),
} as const satisfies FieldType
