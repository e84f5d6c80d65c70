-- expect: memory
pcall(function()
	local t = {}
	for i = 1, 1 << 40 do t[i] = {} end
end)
return "survived"
