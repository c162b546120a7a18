-- SPDX-License-Identifier: BSD-2-Clause
--
-- Wireshark 4.0 and newer: what traces of tcpconnect-rec hold, as fields.
--
-- A packet gets the fields tcpconnect.pid, .uid, .comm, .result .. from its own comment, which
-- tcpconnect-trace(5) specifies so that a hostile name cannot forge any of them. Trace, batch and
-- summary blocks become trees: tcpconnect.trace, .batch, .event, .process .. An outcome that came
-- late is in a batch behind its packet: packets show it once the whole file was read (always in
-- the window; tshark -2).
--
-- Everything in a file is hostile: what does not fit is said ("damaged"), never an error of Lua.

local MAGIC = "\x89TCPCON\n"
local ITEMS_MAX = 300000 -- of one block; Wireshark gives up at 1,000,000

local tcpconnect = Proto("tcpconnect", "TCP connection attempt")
local damaged = ProtoExpert.new("tcpconnect.damaged", "The record is damaged",
	expert.group.MALFORMED, expert.severity.ERROR)
local failed_attempt = ProtoExpert.new("tcpconnect.attempt_failed", "The attempt failed",
	expert.group.SEQUENCE, expert.severity.NOTE)
tcpconnect.experts = {damaged, failed_attempt}

local OUTCOMES = {[0] = "pending", "established", "failed", "abandoned"}
local KINDS = {"trace", "batch", "summary"}
local COMPRESSIONS = {[0] = "none", "zstd"}
local ERRORS = {
	[1] = "EPERM", [4] = "EINTR", [5] = "EIO", [9] = "EBADF", [11] = "EAGAIN", [12] = "ENOMEM",
	[13] = "EACCES", [14] = "EFAULT", [16] = "EBUSY", [19] = "ENODEV", [22] = "EINVAL",
	[32] = "EPIPE", [36] = "ENAMETOOLONG", [71] = "EPROTO", [88] = "ENOTSOCK",
	[89] = "EDESTADDRREQ", [90] = "EMSGSIZE", [92] = "ENOPROTOOPT", [93] = "EPROTONOSUPPORT",
	[95] = "EOPNOTSUPP", [97] = "EAFNOSUPPORT", [98] = "EADDRINUSE", [99] = "EADDRNOTAVAIL",
	[100] = "ENETDOWN", [101] = "ENETUNREACH", [102] = "ENETRESET", [103] = "ECONNABORTED",
	[104] = "ECONNRESET", [105] = "ENOBUFS", [106] = "EISCONN", [107] = "ENOTCONN",
	[110] = "ETIMEDOUT", [111] = "ECONNREFUSED", [112] = "EHOSTDOWN", [113] = "EHOSTUNREACH",
	[114] = "EALREADY", [115] = "EINPROGRESS", [126] = "ENOKEY", [127] = "EKEYEXPIRED",
	[128] = "EKEYREVOKED", [129] = "EKEYREJECTED",
}
local ERROR_NUMBERS, RETURNED = {}, {[0] = "success, or in progress"}
for number, name in pairs(ERRORS) do
	ERROR_NUMBERS[name], RETURNED[number] = number, name
end

-- Fields. field(type, "batch.events", "Rows of ..") makes tcpconnect.batch.events.

local fields, all_fields = {}, {}

local function field(type, name, text, ...)
	fields[name] = ProtoField[type]("tcpconnect." .. name, text, ...)
	all_fields[#all_fields + 1] = fields[name]
end

-- Of a packet.
field("string", "host", "Host")
field("uint32", "number", "Number in its session, low 32 bits")
field("string", "comm", "Name (comm)")
field("uint32", "pid", "Process id")
field("uint32", "tid", "Thread id")
field("uint32", "uid", "User id")
field("string", "user", "User")
field("string", "exe", "Program")
field("string", "args", "Arguments")
field("string", "container", "Container")
field("string", "unit", "Unit")
field("string", "result", "Result")
field("uint16", "error", "Errno", base.DEC, ERRORS)
field("double", "latency", "Latency (ms)")
field("uint32", "retransmits", "Retransmissions of the SYN")
field("bool", "failed", "Failed")
field("string", "query", "Name that was looked up")

-- Of every record.
field("bytes", "magic", "Magic")
field("uint8", "kind", "Kind", base.DEC, KINDS)
field("uint8", "major", "Major version")
field("uint8", "minor", "Minor version")
field("uint32", "length", "Length")
field("uint32", "header_length", "Length of the header")
field("bytes", "session", "Session")

-- The headers: offset, type, field, text. A reference is the offset and length of a text or bytes.
local COUNTERS = {"seen", "recorded", "filtered", "lost", "partial"}
local HEADERS = {
	trace = {
		length = 112,
		{40, "uint32", "file", "Number of the file in the session"},
		{48, "uint64", "boot_ns", "Anchor, boot clock (ns)"},
		{56, "wall", "wall", "Anchor, wall clock"},
		{64, "text", "host", "Host"},
		{72, "text", "boot_id", "Boot id"},
		{80, "text", "kernel", "Kernel"},
		{88, "text", "recorder", "Recorder"},
		{96, "text", "backend", "Backend"},
		{104, "text", "filters", "Filters"},
	},
	batch = {
		length = 192,
		{40, "uint64", "sequence", "Events of the session before"},
		{48, "uint64", "boot_ns", "Anchor, boot clock (ns)"},
		{56, "wall", "wall", "Anchor, wall clock"},
		{64, "uint64", "first_ns", "Earliest event, boot clock (ns)"},
		{72, "uint64", "last_ns", "Latest event, boot clock (ns)"},
		{80, "counters"},
		{120, "uint32", "file", "Number of the file in the session"},
		{124, "uint32", "events", "Events"},
		{128, "uint32", "processes", "Processes"},
		{132, "uint32", "strings", "Strings"},
		{136, "uint32", "ipv4", "IPv4 addresses"},
		{140, "uint32", "ipv6", "IPv6 addresses"},
		{144, "text", "host", "Host"},
		{152, "text", "backend", "Backend"},
		{160, "bytes", "skip", "Summary for skipping"},
		{168, "bytes", "body", "Body"},
		{176, "uint32", "body_length", "Length of the body when not compressed"},
		{180, "uint16", "columns", "Columns"},
		{182, "uint8", "compression", "Compression", COMPRESSIONS},
		{184, "uint32", "late", "Late outcomes"},
	},
	summary = {
		length = 128,
		{40, "uint64", "own_offset", "Offset of this block in its file"},
		{48, "wall", "first", "Earliest event"},
		{56, "wall", "last", "Latest event"},
		{64, "uint64", "events", "Events in the file"},
		{72, "counters"},
		{112, "uint32", "file", "Number of the file in the session"},
		{116, "uint32", "crc", "CRC-32"},
		{120, "offsets", "batches", "Offset of a batch"},
	},
}
local HEADER_TYPES = {wall = "absolute_time", text = "string", offsets = "uint64"}
for kind, header in pairs(HEADERS) do
	for _, row in ipairs(header) do
		if row[2] == "counters" then
			for _, name in ipairs(COUNTERS) do
				field("uint64", kind .. "." .. name, "Attempts " .. name)
			end
		else
			local type, name = HEADER_TYPES[row[2]] or row[2], kind .. "." .. row[3]
			if row[5] then
				field(type, name, row[4], base.DEC, row[5])
			elseif type == "absolute_time" then
				field(type, name, row[4], base.UTC)
			else
				field(type, name, row[4])
			end
		end
	end
end

-- The columns: table, type, field, text. "known": 0 is unknown, else 1 + value.
local COLUMNS = {
	[0x0101] = {"event", "time", "time", "Time"},
	[0x0102] = {"event", "uint32", "process", "Row of the processes"},
	[0x0103] = {"event", "tid", "tid", "Thread id"},
	[0x0104] = {"event", "address", "saddr", "Source"},
	[0x0105] = {"event", "address", "daddr", "Destination"},
	[0x0106] = {"event", "nonzero", "lport", "Source port"},
	[0x0107] = {"event", "uint32", "dport", "Destination port"},
	[0x0108] = {"event", "uint32", "flags", "Flags"},
	[0x0109] = {"event", "uint32", "outcome", "Outcome", OUTCOMES},
	[0x010a] = {"event", "nonzero", "error", "Errno", ERRORS},
	[0x010b] = {"event", "uint64", "latency_us", "Latency (us)"},
	[0x010c] = {"event", "known", "retransmits", "Retransmissions of the SYN"},
	[0x010d] = {"event", "known", "returned", "Returned by the kernel, errno", RETURNED},
	[0x010e] = {"event", "nonzero", "net_ns", "Network namespace"},
	[0x010f] = {"event", "text", "query", "Name that was looked up"},
	[0x0110] = {"event", "nonzero64", "answered", "Answer: 1 none was seen, else its age (us) plus 2"},
	[0x0201] = {"process", "uint32", "pid", "Process id"},
	[0x0202] = {"process", "uint32", "uid", "User id"},
	[0x0203] = {"process", "uint32", "gid", "Group id"},
	[0x0204] = {"process", "text", "comm", "Name (comm)"},
	[0x0205] = {"process", "known", "euid", "Effective user id"},
	[0x0206] = {"process", "known", "egid", "Effective group id"},
	[0x0207] = {"process", "known", "loginuid", "Login user id"},
	[0x0208] = {"process", "known", "audit_session", "Audit session"},
	[0x0209] = {"process", "nonzero64", "start_ns", "Start, boot clock (ns)"},
	[0x020a] = {"process", "known", "parent", "Row of the parent"},
	[0x020b] = {"process", "nonzero", "ppid", "Parent's process id"},
	[0x020c] = {"process", "nonzero", "pid_inside", "Process id inside its namespace"},
	[0x020d] = {"process", "nonzero", "mount_ns", "Mount namespace"},
	[0x020e] = {"process", "nonzero", "pid_ns", "PID namespace"},
	[0x020f] = {"process", "uint32", "flags", "Flags"},
	[0x0210] = {"process", "text", "exe", "Program"},
	[0x0211] = {"process", "text", "args", "Arguments"},
	[0x0212] = {"process", "text", "cgroup", "Cgroup"},
	[0x0213] = {"process", "text", "user", "User"},
	[0x0214] = {"process", "text", "container", "Container"},
	[0x0215] = {"process", "text", "unit", "Unit"},
	[0x0301] = {"string", "index", "end", "End of a string"},
	[0x0302] = {"bytes", "index", "bytes", "Bytes of the strings"},
	[0x0401] = {"ipv4", "index", "address", "IPv4 addresses"},
	[0x0501] = {"ipv6", "index", "high", "IPv6 addresses, first half"},
	[0x0502] = {"ipv6", "index", "low", "IPv6 addresses, second half"},
	[0x0601] = {"late", "uint64", "event", "Number of the event"},
	[0x0602] = {"late", "uint32", "outcome", "Outcome", OUTCOMES},
	[0x0603] = {"late", "nonzero", "error", "Errno", ERRORS},
	[0x0604] = {"late", "uint64", "latency_us", "Latency (us)"},
	[0x0605] = {"late", "known", "retransmits", "Retransmissions of the SYN"},
}
local COLUMN_TYPES = {
	tid = "uint32", nonzero = "uint32", nonzero64 = "uint64", known = "uint32", text = "string", time = "absolute_time",
}
local COLUMN_NAMES, ORDERED = {}, {event = {}, process = {}, late = {}}
for id, column in pairs(COLUMNS) do
	COLUMN_NAMES[id] = column[1] .. "." .. column[3]
	if ORDERED[column[1]] then
		table.insert(ORDERED[column[1]], id)
		local type, name = COLUMN_TYPES[column[2]] or column[2], COLUMN_NAMES[id]
		if type == "address" then
			field("ipv4", name, column[4])
			field("ipv6", name .. "6", column[4])
		elseif type == "absolute_time" then
			field(type, name, column[4], base.UTC)
		elseif column[5] then
			field(type, name, column[4], base.DEC, column[5])
		else
			field(type, name, column[4])
		end
	end
end
for _, ids in pairs(ORDERED) do
	table.sort(ids)
end
field("uint64", "event.number", "Number in its session")
field("string", "event.result", "Result")
field("string", "event.comm", "Name (comm)")
field("uint32", "event.pid", "Process id")
field("uint32", "event.uid", "User id")
field("string", "late.result", "Result")
field("uint16", "column.id", "Column", base.HEX, COLUMN_NAMES)
field("uint8", "column.width", "Width (bytes, or bits)")
field("uint8", "column.encoding", "Encoding")
field("uint32", "column.offset", "Offset in the body")
field("uint64", "column.base", "Base", base.HEX)
tcpconnect.fields = all_fields

local frame_comment = Field.new("frame.comment")
local frame_packet_id = Field.new("frame.packet_id")
local frame_interface = Field.new("frame.interface_description")
local frame_pen = Field.new("frame.cb_pen")

-- What is wrong with a record, as opposed to a mistake in here.
local function fail(...)
	error({damage = string.format(...)})
end

-- Text.

local function hex_escape(bytes)
	return (bytes:gsub(".", function(c)
		return string.format("\\x%02x", c:byte())
	end))
end

local function is_hidden(code)
	return code < 0xa0 or code == 0xad or code == 0x61c or code == 0x180e
		or (code >= 0x200b and code <= 0x200f) or (code >= 0x2028 and code <= 0x202e)
		or (code >= 0x2060 and code <= 0x206f) or code == 0xfeff
		or (code >= 0xfff9 and code <= 0xfffb) or (code >= 0xe0000 and code <= 0xe0fff)
		or (code >= 0xd800 and code <= 0xdfff) or code > 0x10ffff
end

local SMALLEST = {0, 0x80, 0x800, 0x10000}

-- Bytes that are no printable UTF-8 become \xNN, as in the columns of tcpconnect-read.
local function escape(text)
	text = text:gsub("\\", "\\\\"):gsub("[%z\1-\31\127]", hex_escape)
	return (text:gsub("[\128-\255]+", function(run)
		local out, i = {}, 1
		while i <= #run do
			local lead = run:byte(i)
			local n = lead >= 0xf0 and 4 or lead >= 0xe0 and 3 or 2
			local code = lead % 2 ^ (7 - n)
			for k = i + 1, i + n - 1 do
				local byte = run:byte(k) or 0
				code = code and byte >= 0x80 and byte < 0xc0 and code * 64 + byte - 128
			end
			if lead < 0xc2 or lead > 0xf4 or not code or code < SMALLEST[n] or is_hidden(code) then
				n = 1
				out[#out + 1] = hex_escape(run:sub(i, i))
			else
				out[#out + 1] = run:sub(i, i + n - 1)
			end
			i = i + n
		end
		return table.concat(out)
	end))
end

-- The words of a comment with their spaces; other escapes stay, to be read.
local function spaces(word)
	return (word:gsub("\\(x?)(%x?%x?)", function(x, digits)
		if x == "x" and digits == "20" then
			return " "
		end
	end))
end
-- "\\" is one unit: what follows a doubled backslash is no escape.
local function unword(word)
	local parts, start = {}, 1
	while true do
		local at = word:find("\\\\", start, true)
		parts[#parts + 1] = spaces(word:sub(start, at and at - 1))
		if not at then
			return table.concat(parts, "\\\\")
		end
		start = at + 2
	end
end

local function error_text(number)
	return ERRORS[number] or "errno" .. number
end

local function result_text(outcome, number)
	if outcome == 1 then
		return "ok"
	elseif outcome == 3 then
		return "abandoned"
	elseif outcome ~= 2 then
		return nil
	end
	return number ~= 0 and error_text(number) or "failed"
end

-- Packets.

-- Results that came later, by session and number, both of 32 bits.
local late_results = {}

local function late_key(session, number)
	return string.format("%d:%d", session, number)
end

function tcpconnect.init()
	late_results = {}
end

local VALUES = {query = true, exe = true, container = true, unit = true, user = true}

-- What packet_comment() wrote, taken apart; nil: some other comment.
local function parse_comment(comment)
	local head, args = comment:match("^(.-) args=(.*)$")
	local found = {args = args and unword(args)}
	head = head or comment
	local name, pid, rest = head:match("^([^ ]*)%[(%d+)%]( .*)$")
	local uid = rest and tonumber(rest:match(" uid=(%d+)"))
	if not uid then
		return nil
	end
	found.comm, found.pid, found.uid = unword(name), tonumber(pid), uid
	found.tid = found.pid
	for key, value in rest:gmatch(" (%l+)=([^ ]*)") do
		if key == "uid" then
			local user = value:match("^%d+%((.*)%)$")
			found.user = user and unword(user)
		elseif key == "tid" or key == "retransmits" then
			found[key] = tonumber(value)
		elseif key == "latency" then
			local us = tonumber(value:match("^(%d+)us$"))
			found.latency = us and us / 1000
		elseif key == "result" then
			found.result = value
		elseif VALUES[key] then
			found[key] = unword(value)
		end
	end
	return found
end

local PACKET_FIELDS = {
	"host", "number", "comm", "pid", "tid", "uid", "user", "exe", "args", "container", "unit", "result",
	"error", "latency", "retransmits", "failed", "query",
}

-- The host whose packets an interface has; nil: the interface is not ours, and anybody can write
-- a comment.
local hosts = {}
local function host_of(description)
	if hosts[description] == nil then
		hosts[description] =
			description:match("^TCP connection attempts of (.*), recorded in the kernel;") or false
	end
	return hosts[description] or nil
end

local function dissect_packet(pinfo, tree)
	local comment, interface = frame_comment(), frame_interface()
	local host = comment and interface and host_of(interface.value)
	local found = host and parse_comment(comment.value)
	if not found then
		return
	end
	found.host = host
	local id = frame_packet_id()
	if id then
		found.number = id.value:lower()
		if not found.result then
			local late = late_results[late_key(id.value:higher(), found.number)]
			if late then
				found.result, found.latency = late.result, late.latency
				found.retransmits = late.retransmits
			end
		end
	end
	if found.pid == 0 then
		found.pid = nil
	end
	if found.result then
		found.failed = found.result ~= "ok" or nil
		found.error = ERROR_NUMBERS[found.result] or tonumber(found.result:match("^errno(%d+)$"))
	end
	local who = string.format("%s[%d]", found.comm, found.pid or 0)
	local item = tree:add(tcpconnect)
	item:append_text(": " .. who .. (found.result and " " .. found.result or ""))
	for _, name in ipairs(PACKET_FIELDS) do
		if found[name] ~= nil and found[name] ~= "" then
			item:add(fields[name], found[name]):set_generated()
		end
	end
	if found.failed then
		item:add_proto_expert_info(failed_attempt, "The attempt failed: " .. found.result)
	end
	pinfo.cols.info:append("  " .. who .. (found.result and " " .. found.result or ""))
end

-- Records.

local function part(range, offset, length, what)
	if offset + length > range:len() then
		fail("%s: %d bytes at %d leave the %d that there are", what, length, offset, range:len())
	end
	return range(offset, length)
end

-- The range of a reference, nil: absent.
local function reference(record, at, what)
	local start, length = record(at, 4):le_uint(), record(at + 4, 4):le_uint()
	return length > 0 and part(record, start, length, what) or nil
end

local function wall_time(value) -- an Int64
	local billion = Int64.new(1000000000)
	local seconds, rest = (value / billion):tonumber(), (value % billion):tonumber()
	if rest < 0 then
		seconds, rest = seconds - 1, rest + 1000000000
	end
	return NSTime.new(seconds, rest)
end

local function add_header(tree, record, kind)
	local prefix = kind .. "."
	for _, row in ipairs(HEADERS[kind]) do
		local at, type, name = row[1], row[2], row[3]
		local f = name and fields[prefix .. name]
		if type == "counters" then
			for i, counter in ipairs(COUNTERS) do
				tree:add_le(fields[prefix .. counter], record(at + 8 * i - 8, 8))
			end
		elseif type == "wall" then
			tree:add(f, record(at, 8), wall_time(record(at, 8):le_int64()))
		elseif type == "text" or type == "bytes" or type == "offsets" then
			local range = reference(record, at, row[4])
			if not range then
				-- absent
			elseif type == "text" then
				tree:add(f, range, escape(range:raw()))
			elseif type == "bytes" then
				tree:add(f, range)
			else
				for i = 0, math.floor(range:len() / 8) - 1 do
					tree:add_le(f, range(i * 8, 8))
				end
			end
		else
			tree:add_le(f, record(at, ({uint8 = 1, uint16 = 2, uint32 = 4, uint64 = 8})[type]))
		end
	end
end

-- A batch: its tables, checked as far as they are used.

local Batch = {}
Batch.__index = Batch

local WIDTHS = {[0] = true, true, true, false, true, false, false, false, true}

local function inflate(body, compression)
	if compression == 0 then
		return body
	end
	-- Wireshark 4.4; older ones have no such function and say so by an error.
	local ok, plain = pcall(function()
		return body:uncompress_zstd("Body of the batch")
	end)
	return compression == 1 and ok and plain or nil
end

-- nil: compressed by what this Wireshark cannot undo.
function Batch.new(record)
	local u32 = function(at)
		return record(at, 4):le_uint()
	end
	local batch = setmetatable({columns = {}, directory = {}}, Batch)
	batch.rows = {
		event = u32(124), process = u32(128), string = u32(132), ipv4 = u32(136), ipv6 = u32(140),
		late = u32(184),
	}
	local body = reference(record, 168, "body")
	if not body then
		for _, rows in pairs(batch.rows) do
			if rows > 0 then
				fail("a batch with rows and without a body")
			end
		end
		return batch
	end
	body = inflate(body, record(182, 1):uint())
	if not body then
		return nil
	end
	for i = 0, record(180, 2):le_uint() - 1 do
		local entry = part(body, 16 * i, 16, "directory of columns")
		local column = {
			entry = entry, id = entry(0, 2):le_uint(), width = entry(2, 1):uint(),
			encoding = entry(3, 1):uint(), offset = entry(4, 4):le_uint(),
			low = entry(8, 4):le_uint(), high = entry(12, 4):le_uint(),
		}
		batch.directory[i + 1] = column
		local table_name = COLUMNS[column.id] and COLUMNS[column.id][1]
		if table_name and column.encoding <= (table_name == "event" and 4 or 0) then
			batch:add_column(column, body)
		end
	end
	return batch
end

-- Bytes of the part of so many bits.
local function part_length(bits, rows)
	return math.ceil(rows * bits / 128) * 16
end

-- What a column is made of: planes, palette and parts; returns the bytes that it takes.
local function take_apart(column, rows)
	local bits = column.encoding < 3 and 8 * column.width or column.width
	local length = column.encoding == 4 and 8 * 2 ^ (bits % 8) or 0
	column.planes, column.planes_at, column.parts = math.floor(bits / 8), length, {}
	length = length + column.planes * rows
	local left, shift = bits % 8, 0
	for _, n in ipairs({4, 2, 1}) do
		if left >= n then
			table.insert(column.parts, {at = length, bits = n, shift = shift})
			left, shift = left - n, shift + n
			length = length + part_length(n, rows)
		end
	end
	return length
end

function Batch:add_column(column, body)
	local table_name = COLUMNS[column.id][1]
	local what = "column " .. COLUMN_NAMES[column.id]
	if not WIDTHS[column.width] and column.encoding < 3 or column.width > 64 then
		fail("%s: width %d", what, column.width)
	end
	local length = column.width * (self.rows[table_name] or 0)
	if column.encoding > 0 then
		length = take_apart(column, self.rows[table_name])
	end
	if table_name == "bytes" then
		length = body:len() - math.min(column.offset, body:len())
	end
	if length > 0 then
		column.data = part(body, column.offset, length, what)
	end
	self.columns[column.id] = column
end

-- The integer of a row of an encoded column, as high and low half.
function Batch:encoded(column, row)
	local halves, highest = {[0] = 0, 0}, 0
	for k = 0, column.planes - 1 do
		local half = math.floor(k / 4)
		halves[half] = halves[half] + column.data(column.planes_at + k * self.rows.event + row, 1):uint() * 256 ^ (k % 4)
	end
	for _, part in ipairs(column.parts) do
		local each = 128 / part.bits
		local byte = column.data(part.at + math.floor(row / each) * 16 + row % 16, 1):uint()
		local shift = math.floor(row % each / 16) * part.bits
		highest = highest + math.floor(byte / 2 ^ shift) % 2 ^ part.bits * 2 ^ part.shift
	end
	if column.encoding == 4 then
		halves[0] = halves[0] + column.data(8 * highest, 4):le_uint()
		halves[1] = halves[1] + column.data(8 * highest + 4, 4):le_uint()
	elseif #column.parts > 0 then
		local half = math.floor(column.planes / 4)
		halves[half] = halves[half] + highest * 256 ^ (column.planes % 4)
	end
	return halves[1], halves[0]
end

-- With the base, modulo 2^64; of steps the sum of all up to that row.
function Batch:decoded(column, row)
	local high, low
	local function add(h, l)
		l = l + column.low
		high = (h + column.high + math.floor(l / 0x100000000)) % 0x100000000
		low = l % 0x100000000
	end
	if column.encoding ~= 2 then
		add(self:encoded(column, row))
		return high, low
	end
	column.sums = column.sums or {[0] = {0, 0}}
	for i = #column.sums, row do
		local h, l = self:encoded(column, i)
		add(column.sums[i][1] + h, column.sums[i][2] + l)
		column.sums[i + 1] = {high, low}
	end
	return column.sums[row + 1][1], column.sums[row + 1][2]
end

-- The high and low half of a value, and its bytes.
function Batch:halves(id, row)
	local column = self.columns[id]
	if not column then
		return 0, 0, nil
	elseif column.encoding > 0 and (column.data or column.encoding == 2) then
		return self:decoded(column, row)
	elseif column.width == 0 or not column.data then
		return column.high, column.low, column.entry
	end
	local range = column.data(row * column.width, column.width)
	local high, low = 0, 0
	if column.width == 8 then
		low, high = range(0, 4):le_uint(), range(4, 4):le_uint()
	else
		low = range:le_uint()
	end
	low = low + column.low
	high = (high + column.high + (low >= 0x100000000 and 1 or 0)) % 0x100000000
	return high, low % 0x100000000, range
end

function Batch:low(id, row)
	local _, low, range = self:halves(id, row)
	return low, range
end

function Batch:long(id, row)
	local high, low, range = self:halves(id, row)
	return UInt64.new(low, high), range
end

-- An index below limit.
function Batch:index(id, row, limit)
	local high, low, range = self:halves(id, row)
	if high ~= 0 or low >= limit then
		fail("%s of row %d is outside its table", COLUMN_NAMES[id], row)
	end
	return low, range
end

-- The text that a process has in that column, "" unknown, and its bytes.
function Batch:text(id, row)
	local number = self:index(id, row, self.rows.string + 1)
	if number == 0 then
		return "", nil
	end
	local bytes = self.columns[0x0302]
	local start = number > 1 and self:low(0x0301, number - 2) or 0
	local stop = self:low(0x0301, number - 1)
	if stop < start then
		fail("string %d ends before it begins", number - 1)
	elseif stop == start then
		return "", nil
	elseif not bytes or not bytes.data then
		fail("there are strings, but no bytes of them")
	end
	local range = part(bytes.data, start, stop - start, "string")
	return escape(range:raw()), range
end

-- The family (nil: unknown) and the address.
function Batch:address(id, row)
	local n4, n6 = self.rows.ipv4, self.rows.ipv6
	local number, range = self:index(id, row, n4 + n6 + 1)
	if number == 0 then
		return nil, nil, range
	elseif number <= n4 then
		local v = self:low(0x0401, number - 1)
		local quad = string.format("%d.%d.%d.%d", math.floor(v / 0x1000000),
			math.floor(v / 0x10000) % 256, math.floor(v / 256) % 256, v % 256)
		return 4, Address.ip(quad), range
	end
	local h1, h2 = self:halves(0x0501, number - 1 - n4)
	local l1, l2 = self:halves(0x0502, number - 1 - n4)
	local groups = {}
	for _, v in ipairs({h1, h2, l1, l2}) do
		groups[#groups + 1] = string.format("%x:%x", math.floor(v / 0x10000), v % 0x10000)
	end
	return 6, Address.ipv6(table.concat(groups, ":")), range
end

-- Adds the value of a column to the tree of its row, unless it is unknown.
function Batch:add_value(tree, id, row, context)
	local column = COLUMNS[id]
	local type, f = column[2], fields[COLUMN_NAMES[id]]
	local value, range
	if type == "text" then
		value, range = self:text(id, row)
		if value == "" then
			return
		end
	elseif type == "address" then
		local family
		family, value, range = self:address(id, row)
		if not family then
			return
		elseif family == 6 then
			f = fields[COLUMN_NAMES[id] .. "6"]
		end
	elseif type == "uint64" or type == "nonzero64" then
		value, range = self:long(id, row)
		if type == "nonzero64" and value == UInt64.new(0) then
			return
		end
	elseif type == "time" then
		local offset
		offset, range = self:long(id, row)
		offset = context.first + offset - context.boot
		value = wall_time(context.wall + Int64.new(offset:lower(), offset:higher()))
	else
		local high
		high, value, range = self:halves(id, row)
		if (type == "known" or type == "nonzero") and value == 0 and high == 0 then
			return
		elseif type == "known" then
			value = (value - 1) % 0x100000000
		elseif type == "tid" then
			value = (value + context.pid) % 0x100000000
		end
	end
	if range then
		tree:add(f, range, value)
	else
		tree:add(f, value)
	end
end

function Batch:result(outcome_id, error_id, row)
	return result_text(self:low(outcome_id, row), self:low(error_id, row))
end

-- Somebody sees the tree, or asks for a field whose name begins like this. Nothing else is worth
-- the time that thousands of rows take.
local function is_wanted(tree, prefix)
	if tree.visible then
		return true
	end
	for name, f in pairs(fields) do
		if name:sub(1, #prefix) == prefix and tree:referenced(f) then
			return true
		end
	end
	return false
end

-- Subtrees of a table; label(item, row) fills them. Stops when there are too many items.
function Batch:add_table(tree, name, title, budget, label)
	local rows = self.rows[name]
	if rows == 0 or not is_wanted(tree, name .. ".") then
		return budget
	end
	local branch = tree:add(tcpconnect, string.format("%s: %d", title, rows))
	local width = #ORDERED[name] + 6
	for row = 0, rows - 1 do
		if budget < width then
			branch:add(tcpconnect, string.format("%d more are not shown", rows - row))
			break
		end
		budget = budget - width
		label(branch:add(tcpconnect, string.format("%s %d", name, row)), row)
	end
	return budget
end

function Batch:who(row)
	return string.format("%s[%d]", self:text(0x0204, row), (self:low(0x0201, row)))
end

function Batch:add_events(tree, record, budget)
	local sequence = record(40, 8):le_uint64()
	local context = {
		first = record(64, 8):le_uint64(), boot = record(48, 8):le_uint64(),
		wall = record(56, 8):le_int64(),
	}
	return self:add_table(tree, "event", "Events", budget, function(item, row)
		local process = self:index(0x0102, row, self.rows.process)
		context.pid = self:low(0x0201, process)
		item:add(fields["event.number"], sequence + UInt64.new(row)):set_generated()
		for _, id in ipairs(ORDERED.event) do
			self:add_value(item, id, row, context)
		end
		local name, result = self:text(0x0204, process), self:result(0x0109, 0x010a, row)
		local _, saddr = self:address(0x0104, row)
		local _, daddr = self:address(0x0105, row)
		if not daddr then
			fail("event %d without a destination", row)
		end
		item:add(fields["event.pid"], context.pid):set_generated()
		item:add(fields["event.uid"], (self:low(0x0202, process))):set_generated()
		item:add(fields["event.comm"], name):set_generated()
		if result then
			item:add(fields["event.result"], result):set_generated()
		end
		item:set_text(string.format("%s[%d] %s port %d → %s port %d%s", name, context.pid,
			saddr and tostring(saddr) or "unknown", self:low(0x0106, row) % 0x10000, tostring(daddr),
			self:low(0x0107, row) % 0x10000, result and " " .. result or ""))
	end)
end

function Batch:add_processes(tree, budget)
	return self:add_table(tree, "process", "Processes", budget, function(item, row)
		for _, id in ipairs(ORDERED.process) do
			self:add_value(item, id, row)
		end
		item:set_text(self:who(row))
	end)
end

function Batch:add_late(tree, budget)
	return self:add_table(tree, "late", "Late outcomes", budget, function(item, row)
		for _, id in ipairs(ORDERED.late) do
			self:add_value(item, id, row)
		end
		local result = self:result(0x0602, 0x0603, row)
		if result then
			item:add(fields["late.result"], result):set_generated()
		end
		item:set_text(string.format("Event %s: %s", tostring(self:long(0x0601, row)),
			result or "pending"))
	end)
end

function Batch:add_directory(tree)
	if not is_wanted(tree, "column.") then
		return
	end
	local branch = tree:add(tcpconnect, string.format("Columns: %d", #self.directory))
	for _, column in ipairs(self.directory) do
		local item = branch:add(tcpconnect, column.entry,
			string.format("Column 0x%04x %s", column.id, COLUMN_NAMES[column.id] or "(not known)"))
		item:add_le(fields["column.id"], column.entry(0, 2))
		item:add_le(fields["column.width"], column.entry(2, 1))
		item:add_le(fields["column.encoding"], column.entry(3, 1))
		item:add_le(fields["column.offset"], column.entry(4, 4))
		item:add_le(fields["column.base"], column.entry(8, 8))
	end
end

-- For the packets that they belong to, which stand before them.
function Batch:remember_late(record)
	local session = record(24, 4):le_uint()
	for row = 0, self.rows.late - 1 do
		local result = self:result(0x0602, 0x0603, row)
		if result then
			local _, number = self:halves(0x0601, row)
			local retransmits = self:low(0x0605, row)
			late_results[late_key(session, number)] = {
				result = result, latency = self:long(0x0604, row):tonumber() / 1000,
				retransmits = retransmits > 1 and retransmits - 1 or nil,
			}
		end
	end
end

local INFO = {}

function INFO.trace(record)
	local host = reference(record, 64, "host")
	return string.format("Trace of %s, file %d", host and escape(host:raw()) or "?",
		record(40, 4):le_uint())
end

function INFO.batch(record)
	local late = record(184, 4):le_uint()
	return string.format("Batch: %d events of %d processes from number %s%s",
		record(124, 4):le_uint(), record(128, 4):le_uint(), tostring(record(40, 8):le_uint64()),
		late > 0 and string.format(", %d late outcomes", late) or "")
end

function INFO.summary(record)
	return string.format("Summary: %s events, %s attempts lost",
		tostring(record(64, 8):le_uint64()), tostring(record(96, 8):le_uint64()))
end

local function dissect_record(payload, pinfo, tree)
	part(payload, 0, 40, "record")
	tree:add(fields.magic, payload(0, 8))
	tree:add(fields.kind, payload(8, 1))
	tree:add(fields.major, payload(9, 1))
	tree:add(fields.minor, payload(10, 1))
	tree:add_le(fields.length, payload(12, 4))
	tree:add_le(fields.header_length, payload(16, 4))
	tree:add(fields.session, payload(24, 16))
	local kind, major = KINDS[payload(8, 1):uint()], payload(9, 1):uint()
	if major ~= 1 then
		pinfo.cols.info = string.format("Record of format version %d, this plug-in knows 1", major)
		return
	elseif not kind then
		pinfo.cols.info = "Record of a newer kind"
		return
	end
	local record = part(payload, 0, payload(12, 4):le_uint(), "record")
	local header = payload(16, 4):le_uint()
	if header > record:len() or header < HEADERS[kind].length then
		fail("header of %d bytes in a record of %d", header, record:len())
	end
	pinfo.cols.info = INFO[kind](record)
	add_header(tree, record, kind)
	if kind ~= "batch" then
		return
	end
	local batch = Batch.new(record)
	if not batch then
		tree:add(tcpconnect, "The body is compressed; this Wireshark cannot undo it (4.4 can)")
		return
	end
	batch:remember_late(record)
	batch:add_directory(tree)
	batch:add_late(tree, batch:add_processes(tree, batch:add_events(tree, record, ITEMS_MAX)))
end

function tcpconnect.dissector(tvb, pinfo, tree)
	if not frame_pen() then
		return dissect_packet(pinfo, tree)
	end
	if tvb:len() < 8 or tvb(0, 8):raw() ~= MAGIC then
		return
	end
	pinfo.cols.protocol = "TCPCONNECT"
	pinfo.cols.info = "Record"
	local item = tree:add(tcpconnect, tvb())
	local ok, wrong = pcall(dissect_record, tvb(), pinfo, item)
	if not ok then
		if type(wrong) ~= "table" or not wrong.damage then
			error(wrong, 0)
		end
		pinfo.cols.info = "Damaged record: " .. wrong.damage
		item:add_proto_expert_info(damaged, wrong.damage)
	end
end

register_postdissector(tcpconnect)
