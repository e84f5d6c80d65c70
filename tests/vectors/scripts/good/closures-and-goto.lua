-- expect: returns 2 4 
local s = ""
for i = 1, 5 do
	if i % 2 == 1 then goto continue end
	s = s .. i .. " "
	::continue::
end
return s
