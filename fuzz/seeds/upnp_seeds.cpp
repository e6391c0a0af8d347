// SPDX-License-Identifier: MIT OR BSD-3-Clause
#include <array>
#include <string>
#include <string_view>

#include "qpeer/fuzz/seeds/corpus.hpp"

namespace qpeer::fuzz {

void add_seeds(Corpus& corpus) {
  const auto add = [&corpus](u8 choice, std::string_view text) {
    corpus.add(join({std::array{choice}, as_bytes(text)}));
  };
  add(0, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  add(0,
      "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n");
  add(0, "HTTP/1.0 200 OK\r\n\r\nbody");
  add(0, "HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/\r\n\r\n");
  for (const std::string_view url :
       {"http://192.168.1.1:5000/a?b=c", "http://192.168.1.1", "HTTP://10.0.0.1:80/", "/a"}) {
    add(1, url);
  }
  const std::string service =
      "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
      "<controlURL>/control</controlURL><SCPDURL>x</SCPDURL></service>";
  const std::string second =
      "<service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType>"
      "<controlURL>http://192.168.1.1:5001/c</controlURL></service>";
  add(2, "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>" +
             service + second + "</device></root>");
  add(2, "<root><URLBase>http://192.168.1.1:5000</URLBase>" + service + "</root>");
  add(3,
      "<s:Envelope xmlns:s=\"soap\"><s:Body><u:GetExternalIPAddressResponse>"
      "<NewExternalIPAddress>8.8.4.4</NewExternalIPAddress></u:GetExternalIPAddressResponse>"
      "</s:Body></s:Envelope>");
  add(3, "<s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault>");
  add(3, "<a><!-- b --><NewInternalPort><![CDATA[4477]]></NewInternalPort></a>");
}

}  // namespace qpeer::fuzz
