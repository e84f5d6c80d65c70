-- expect: memory
local ok = pcall(function()
	local s = "x"
	while true do s = s .. s end
end)
return "survived " .. tostring(ok)
