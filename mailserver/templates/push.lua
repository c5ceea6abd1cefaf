-- One POST to the gateway's doorbell for each mailbox transaction, from deliveries and IMAP sessions alike.
-- It runs inside the delivery, so its HTTP limits must be short. Dovecot 2.3 and 2.4 name them differently, and 2.3
-- ignores names that it does not know.
local doorbell = "@URL@"
local http

local function text(value)
  local safe = tostring(value):gsub('[%c"\\\127]', function(c) return string.format("\\u%04x", string.byte(c)) end)
  return '"' .. safe .. '"'
end

function dovecot_lua_notify_begin_txn(user)
  return { user = user.username, seen = {}, list = {} }
end

-- a transaction over 1000 messages is still one hint for each kind and folder
local function note(ctx, event)
  local item = '{"event":' .. text(event.name) .. ',"mailbox":' .. text(event.mailbox or "") .. '}'
  if not ctx.seen[item] then
    ctx.seen[item] = true
    table.insert(ctx.list, item)
  end
end

dovecot_lua_notify_event_message_new = note
dovecot_lua_notify_event_message_append = note
dovecot_lua_notify_event_message_expunge = note
dovecot_lua_notify_event_message_trash = note
dovecot_lua_notify_event_message_read = note
dovecot_lua_notify_event_flags_set = note
dovecot_lua_notify_event_flags_clear = note
dovecot_lua_notify_event_mailbox_create = note
dovecot_lua_notify_event_mailbox_delete = note
dovecot_lua_notify_event_mailbox_rename = note

function dovecot_lua_notify_end_txn(ctx, success)
  if not success or #ctx.list == 0 then
    return
  end
  if http == nil then
    http = dovecot.http.client({ @HTTP_OPTIONS@, max_connect_attempts = 1 })
  end
  local request = http:request({ url = doorbell, method = "POST" })
  request:add_header("content-type", "application/json")
  request:set_payload('{"user":' .. text(ctx.user) .. ',"events":[' .. table.concat(ctx.list, ",") .. "]}")
  local sent, answer = pcall(function() return request:submit() end)
  if not sent or answer:status() >= 300 then
    dovecot.i_warning("doorbell did not answer for " .. ctx.user)
  end
end
