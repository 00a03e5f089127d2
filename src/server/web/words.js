// The words of the pages, in English and Chinese.

const CHINESE = {
  "Now": "现在", "Alerts": "告警", "Rules": "规则", "Lab": "实验室", "Silences": "静默", "Channels": "渠道", "Subjects": "对象", "Firing": "正在告警", "Pending": "等待中", "Counts": "计数", "Problems": "问题",
  "Nothing fires.": "没有告警。", "rules": "条规则", "subjects": "对象", "stale": "过期", "gone": "已消失", "pending": "等待", "silences": "静默", "warnings": "警告数", "paused": "已暂停", "collectors down": "采集器故障", "channels failing": "渠道故障", "dead letters": "死信", "alerting": "告警发送", "off": "关闭",
  "critical": "严重", "error": "错误", "warning": "警告", "info": "信息", "firing": "告警中", "recovering": "恢复中", "ended": "已结束", "inactive": "未触发", "acknowledged": "已确认", "silenced": "已静默", "inhibited": "被抑制", "no data": "无数据", "told": "已通知", "not told": "未通知",
  "Acknowledge": "确认", "Take back": "撤回", "Take the acknowledgement back": "撤回确认", "taken back": "已撤回", "Silence": "静默", "History": "经过", "Why?": "为什么？", "Cancel": "取消", "comment": "备注", "any": "任意", "for": "时长", "covers now": "现在覆盖",
  "No reminders and no escalation until the level rises or it ends.": "在级别升高或结束之前，不再提醒也不升级。",
  "filter subjects": "筛选对象", "filter rules": "筛选规则", "Show all": "全部显示", "Show more": "显示更多", "yes": "是", "no": "否", "now": "刚刚", "days": "天", "time": "时间", "by": "来自", "field": "字段", "value": "值", "Fields": "字段", "no samples": "没有样本", "None in 7 days.": "7 天内没有。", "None.": "没有。",
  "It is not known any more; what is stored of it is shown.": "已不再被监视；显示的是存储的数据。", "level": "级别", "rule": "规则", "since": "开始", "state": "状态", "message": "消息", "subject": "对象", "lasted": "持续", "all": "全部", "any level": "任意级别", "kind": "种类", "name": "名称", "Newer": "较新", "Older": "较旧",
  "What happened": "发生了什么", "delivered": "已送达", "attempt failed": "尝试失败", "raised": "触发", "escalated": "升级", "eased": "降级", "reminded": "提醒", "recovered": "恢复", "closed": "关闭", "flapping": "抖动", "unacknowledged": "撤回确认",
  "health": "健康", "takes part": "参与", "evaluations": "求值次数", "cost": "开销", "operations of the interpreter for one evaluation": "每次求值的解释器操作数", "errors": "错误数", "runs": "运行方式", "place": "位置", "interpreted": "解释执行", "lowered": "已编译", "ok": "正常", "quarantined": "已隔离", "There is no such rule now.": "现在没有这条规则。", "judges": "判断", "sets of": "集合：", "fire": "触发", "clear": "正常", "no_data": "无数据", "Nearest to firing": "最接近触发", "condition": "条件", "asked": "条件", "values": "取值", "missing": "还差", "Source": "源码", "Try a change": "试着修改", "newest snapshot": "最新快照", "members": "成员", "Evaluation": "求值", "samples": "个样本", "Who would be told": "会通知谁", "Who is told": "通知谁", "route": "路由", "to": "发往", "says": "结果", "channel": "渠道", "decision": "决定", "held by": "被扣留", "delivery": "投递", "What comes next": "接下来", "Look again": "重新查看",
  "Rule text": "规则文本", "running…": "运行中…", "Run": "运行", "What would have happened": "会发生什么", "events": "个事件", "against the rule as it is saved": "与已保存的规则相比", "Nothing.": "没有。", "event": "事件", "As it is saved": "还原为已保存", "Edit a rule's text and run it over what is stored. Nothing is saved.": "修改规则文本并在存储的历史上运行。不会保存任何内容。",
  "New": "新建", "Nobody is silenced.": "没有静默。", "covers": "覆盖", "from": "从", "until": "到", "author": "作者", "End": "结束", "Paused": "已暂停", "Nothing is paused.": "没有暂停。", "what": "内容", "Go on": "继续", "goes on": "已继续", "active": "生效", "expired": "已过期",
  "type": "类型", "waiting": "等待", "Waiting": "等待发送", "dead": "死信", "suppressed": "抑制", "attempts": "尝试", "last": "最近", "problem": "问题", "Test": "测试", "a sample is on its way": "样例已发出", "Dead letters": "死信", "why": "原因", "Retry": "重试", "Drop": "丢弃", "tried again": "已重试", "dropped": "已丢弃", "next attempt": "下次尝试", "Collectors": "采集器", "collector": "采集器", "last pass": "最近一次", "took": "用时", "failures": "失败", "up": "正常", "down": "故障",
  "connected": "已连接", "Lost the connection to the daemon": "与守护进程的连接已断开", "since ": "自 ", "retrying": "正在重试", "Token": "令牌", "A token with the scope `read` (or `write`, to acknowledge and silence) is needed.": "需要一个 `read`（确认和静默需要 `write`）范围的令牌。", "Show": "显示", "Keys": "快捷键", "page": "页面", "filter": "筛选", "next and previous alert": "下一条和上一条告警", "this help": "本帮助", "Close": "关闭", "There is no such page.": "没有这个页面。", "theme": "主题", "language": "语言", "What is shown is from before": "所显示的是之前的内容", "Log": "日志",
};

const KEY = "larum.language";

/** `en` or `zh-CN`: what was chosen, else what the browser prefers. */
export function language() {
  return localStorage.getItem(KEY) ?? (navigator.language.startsWith("zh") ? "zh-CN" : "en");
}

export function setLanguage(name) {
  localStorage.setItem(KEY, name);
}

/** A word of the pages in the language that is shown. */
export function t(text) {
  return language() === "zh-CN" ? CHINESE[text] ?? text : text;
}
