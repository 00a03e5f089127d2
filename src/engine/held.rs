//! What was held back from a channel and is due at one instant is told in one message: a window that opens over forty
//! alerts says so once. So is what a silence or another alert held back.

use crate::alert::{Decision, Present, Told};
use crate::model::{AlertNote, ChannelName, Group, Notification, NotificationId, Now, Occasion, RuleName};
use crate::rules::Rule;

use super::group::MAX_NOTES;
use super::id::hash;
use super::state::timing;
use super::{Alert, Effects, Engine, Member};

impl Engine {
    /// The end of an instant: alerts that others mute or no longer mute are told, and what was held back until now.
    pub(super) fn settle_instant(&mut self, now: Now, effects: &mut Effects) {
        if self.awaits_rules {
            return;
        }
        self.settling = true;
        while !self.retell.is_empty() {
            let members = std::mem::take(&mut self.retell);
            self.tell_these(now, members, effects);
        }
        for (channel, members) in std::mem::take(&mut self.released) {
            let members: Vec<Member> = members.into_iter().collect();
            for some in members.chunks(MAX_NOTES) {
                self.tell_released(now, &channel, some, effects);
            }
        }
        self.settling = false;
    }

    /// Whether a channel is to be told of an alert now, and something from outside the alert held it back before.
    pub(super) fn is_released(&self, told: &Told, present: Option<Present>, now: Now, rule: &Rule) -> bool {
        let is_told = |present| matches!(told.decide(present, now.time, timing(rule)), Decision::Tell(_));
        told.was_held_back() && present.is_some_and(is_told)
    }

    /// Tells a channel of these alerts in one message; of a single one as ever.
    fn tell_released(&mut self, now: Now, channel: &ChannelName, members: &[Member], effects: &mut Effects) {
        let mut notes: Vec<AlertNote> = Vec::new();
        let mut told_of = Vec::new();
        let mut id = None;
        for (name, _, target) in members {
            let Some(rule) = self.rules.rules.get(name).cloned() else { continue };
            let Some(mut alert) = self.detach(name, target) else { continue };
            // Before what was told is taken out: it says who is told on.
            let (routed, _) = self.presents(now, &rule, &alert);
            let present = routed.get(channel).map(|routed| routed.present);
            let mut told = alert.told.remove(channel).unwrap_or_default();
            if members.len() == 1 {
                told.release();
                alert.told.insert(channel.clone(), told);
                self.tell_and_attach(now, name, target.clone(), alert, effects);
                continue;
            }
            let id = id.get_or_insert_with(|| self.released_id(channel, name, &alert, now)).clone();
            let new = self.tell_channel(now, &rule, target, &mut alert, (channel, &mut told), present, &id, effects);
            alert.told.insert(channel.clone(), told);
            if !new.is_empty() {
                alert.n_notifications += 1;
                told_of.push((name.clone(), target.clone()));
            }
            notes.extend(new);
            self.tell_and_attach(now, name, target.clone(), alert, effects);
        }
        let Some(id) = id.filter(|_| !notes.is_empty()) else { return };
        self.fly(&id, channel, told_of);
        let occasion = Occasion::Group(Group::default());
        effects.notifications.push(Notification {
            id,
            channel: channel.clone(),
            time: now.wall(),
            alerts: notes,
            occasion,
        });
    }
    fn released_id(&self, channel: &ChannelName, rule: &RuleName, first: &Alert, now: Now) -> NotificationId {
        let alone = self.notification_id(channel, rule, first, now);
        NotificationId::from(hash(self.settings.seed, &[b"released", alone.as_str().as_bytes()]))
    }
}
